use crate::time::Time;

/// Remembers when packets arrived until it has told the sender.
#[derive(Debug, Default)]
pub struct ArrivalRecorder {}

impl ArrivalRecorder {
    pub fn record(&mut self, _sequence: u16, _arrival: Time) {
        todo!()
    }

    /// Appends feedback about what is new since the last call: several packets if one cannot hold it.
    /// Returns false, and appends nothing, if nothing is new.
    pub fn write_feedback(&mut self, _out: &mut Vec<u8>, _sender: u32, _media: u32) -> bool {
        todo!()
    }
}
