//! tmp
#![allow(missing_docs)]
use super::{ids::JobId, input::ScriptExit, shared::Cx, time::Time};
#[derive(Debug, Default)]
pub(crate) struct Scripts;
impl Scripts {
    pub(crate) fn queue(&mut self, _a: Vec<String>, _n: Time) {}
}
pub(crate) fn started(_: JobId, _: Option<u32>, _: &mut Cx<'_>) {}
pub(crate) fn ended(_: JobId, _: ScriptExit, _: &mut Cx<'_>) {}
pub(crate) fn run(_: &mut Cx<'_>) {}
