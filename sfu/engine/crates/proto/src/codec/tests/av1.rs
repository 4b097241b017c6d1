use super::super::av1::inspect;
use super::*;

/// The sequence header of SVT-AV1 for 322x180, without its size field.
const SEQUENCE: &str = "08000000043d06cc4af90040";
/// The same with its size field.
const SEQUENCE_SIZED: &str = "0a0b000000043d06cc4af90040";

const START: FrameInfo =
    FrameInfo { keyframe_start: true, keyframe: true, size: Some((322, 180)), discardable: false };

fn packet(aggregation: u8, elements: &[(bool, &[u8])]) -> Vec<u8> {
    let mut out = vec![aggregation];
    for (with_len, element) in elements {
        if *with_len {
            out.push(element.len() as u8);
        }
        out.extend_from_slice(element);
    }
    out
}

#[test]
fn a_new_sequence_is_a_keyframe() {
    let (sequence, frame) = (hex(SEQUENCE), [0x30, 1, 2, 3]);
    for payload in [
        packet(0x28, &[(true, &sequence), (false, &frame)]),
        packet(0x08, &[(true, &sequence), (true, &frame)]),
        packet(0x18, &[(false, &sequence)]),
        packet(0x38, &[(true, &[0x10]), (true, &hex(SEQUENCE_SIZED)), (false, &frame)]),
    ] {
        assert_eq!(inspect(&payload), START, "{payload:02x?}");
    }
    assert_eq!(inspect(&packet(0x18, &[(false, &frame)])), FrameInfo { size: None, ..START });
    assert_eq!(inspect(&packet(0x10, &[(false, &frame)])), FrameInfo::default());
    // A fragment that goes on looks like anything.
    assert_eq!(inspect(&packet(0x98, &[(false, &sequence)])).size, None);
}

#[test]
fn optional_parts_of_the_header_are_passed_over() {
    let mut header = BitWriter::default();
    // Profile, still picture, not reduced; timing info with equal intervals; decoder model.
    header.put(3, 0).put(1, 0).put(1, 0).put(1, 1).put(32, 1).put(32, 30).put(1, 1).ue(0);
    header.put(1, 1).put(5, 9).put(32, 1).put(10, 0).put(1, 1);
    // Two operating points: one of a high level with tier, model and delay, one with neither.
    header.put(5, 1);
    header.put(12, 1).put(5, 13).put(1, 0).put(1, 1).put(21, 0).put(1, 1).put(4, 3);
    header.put(12, 2).put(5, 4).put(1, 0).put(1, 0);
    header.put(4, 10).put(4, 9).put(11, 1919).put(10, 1079 & 0x3ff);
    let with_extension = [&[0x0c, 0x00][..], &header.bytes()].concat();
    let info = inspect(&packet(0x18, &[(false, &with_extension)]));
    assert_eq!(info.size, Some((1920, (1079 & 0x3ff) + 1)));

    let mut reduced = BitWriter::default();
    reduced.put(3, 0).put(1, 1).put(1, 1).put(5, 0).put(4, 7).put(4, 7).put(8, 99).put(8, 49);
    let info = inspect(&packet(0x18, &[(false, &[&[0x08][..], &reduced.bytes()].concat())]));
    assert_eq!(info.size, Some((100, 50)));
}

/// Found by fuzzing: the count of elements ran past 255.
#[test]
fn hundreds_of_empty_elements_are_passed_over() {
    let mut elements = vec![(true, &[][..]); 300];
    let sequence = hex(SEQUENCE);
    elements.push((true, &sequence));
    assert_eq!(inspect(&packet(0x08, &elements)), START);
}

#[test]
fn malformed_payloads_never_panic() {
    torment(&packet(0x28, &[(true, &hex(SEQUENCE_SIZED)), (false, &[0x30, 1])]), |data| {
        inspect(data);
    });
}
