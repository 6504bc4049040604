//! SENTINEL SET on a group that comes from a Service: what is set is kept where it came from, in the Service's annotations.

use std::collections::BTreeMap;

use super::calls::{Asker, LIMIT};
use super::scope::annotation;
use crate::core::action::{Action, Actions};
use crate::core::cluster::{Answer, Call};
use crate::core::engine::Engine;
use crate::core::ids::ClientId;
use crate::resp::Reply;

impl Engine {
    /// Writes directives into a Service's annotations; the client is answered when they are there.
    pub(crate) fn annotate(
        &mut self,
        client: ClientId,
        name: String,
        directives: Vec<(&'static str, String)>,
        out: &mut Actions,
    ) {
        let Some(fleet) = &mut self.fleet else { return };
        let Some(service) = fleet.objects.services.get(&name) else {
            let reply = Reply::error(format!("ERR Service '{name}' is gone"));
            out.push(Action::Reply { client, reply });
            return;
        };
        let annotations =
            directives.into_iter().map(|(directive, value)| (annotation(directive), Some(value))).collect();
        let version = service.version.clone();
        let request = Call::PatchService { name, version, selector: BTreeMap::new(), annotations };
        fleet.calls.call(Asker::Client(client), request, LIMIT, out);
    }
}

/// What the client is told.
pub(super) fn reply(answer: Answer) -> Reply {
    let problem = match answer {
        Answer::Landed(_) | Answer::Read(_) => return Reply::OK,
        Answer::Conflict => "it was changed meanwhile".to_owned(),
        Answer::Refused { reason, .. } | Answer::Unknown(reason) => reason,
    };
    let shown: String = problem.chars().filter(|c| !c.is_control()).take(200).collect();
    Reply::error(format!("ERR The annotations of the Service could not be changed: {shown}"))
}
