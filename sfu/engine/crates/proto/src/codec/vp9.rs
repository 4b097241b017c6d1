use super::FrameInfo;

pub fn inspect(_payload: &[u8]) -> FrameInfo {
    todo!()
}
