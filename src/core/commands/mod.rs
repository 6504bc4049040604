//! tmp
use super::{Actions, Engine, Time, ids::ClientId};
impl Engine {
    pub(crate) fn command(&mut self, _c: ClientId, _a: Vec<bytes::Bytes>, _n: Time, _o: &mut Actions) {}
}
