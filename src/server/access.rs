//! What connects clients and access rules.

use std::rc::Rc;

use bytes::Bytes;

use super::acl::{Acl, Effect, Outcome};
use super::client::{Client, Mode};
use super::counters::bump;
use super::inner::Inner;
use super::session::{Session as _, Sessions as _};
use super::table::CommandSpec;
use crate::core::Time;
use crate::core::action::Level;
use crate::core::ids::ClientId;
use crate::resp::Reply;

const WRONG_PASSWORD: &str = "WRONGPASS invalid username-password pair or user is disabled.";

/// Whether a client may do nothing but AUTH and HELLO.
pub(super) fn must_authenticate(server: &Inner, client: &Client) -> bool {
    !client.authenticated() && server.acl.borrow().default_user_needs_auth()
}

/// Logs a client in. `command` is AUTH or HELLO, as it was sent.
pub(super) fn login(
    server: &Inner,
    client: &Client,
    command: &[u8],
    user: &[u8],
    password: &[u8],
) -> Result<(), Reply> {
    let found = server.acl.borrow().authenticate(user, password).map(Rc::from);
    if let Some(user) = found {
        client.login(user);
        return Ok(());
    }
    bump(&server.counters.denied_auth);
    server.acl.borrow_mut().log_failed_login(command, user, client.describe(), now(server));
    Err(Reply::err(WRONG_PASSWORD))
}

/// Whether a client's user may run a request.
pub(super) fn check(
    server: &Inner,
    client: &Client,
    spec: &'static CommandSpec,
    args: &[Bytes],
) -> Result<(), Reply> {
    let user = client.user();
    let permission = server.acl.borrow().check(&user, spec, args);
    let Some(denial) = permission.denial() else { return Ok(()) };
    match permission {
        super::acl::Permission::Channel(_) => bump(&server.counters.denied_channels),
        super::acl::Permission::Command(_) | super::acl::Permission::Granted => {
            bump(&server.counters.denied_commands);
        }
    }
    server.acl.borrow_mut().log_denied(&user, &permission, client.describe(), now(server));
    Err(denial)
}

/// Runs a subcommand of ACL; `None` where the answer comes later.
pub(super) fn execute(server: &Rc<Inner>, client: &Client, args: &[Bytes]) -> Option<Reply> {
    let outcome = server.acl.borrow_mut().command(args, &client.user(), now(server));
    match outcome {
        Outcome::Reply(reply, effect) => {
            apply(server, client.id, effect.as_ref());
            Some(reply)
        }
        Outcome::Load(job) => {
            later(server, client, move |server, id| async move {
                let (job, read) = off_thread(move || {
                    let read = job.run();
                    (job, read)
                })
                .await?;
                let (reply, effect) = server.acl.borrow_mut().loaded(&job, read);
                apply(&server, id, effect.as_ref());
                Some(reply)
            });
            None
        }
        Outcome::Save(job) => {
            later(server, client, move |server, _| async move {
                let result = off_thread(move || job.run()).await?;
                if let Err(error) = &result {
                    server.log(Level::Warning, &error.to_string());
                }
                Some(Acl::saved(&result))
            });
            None
        }
    }
}

/// Reads the aclfile again; an error's text for the log.
pub(super) fn reload(server: &Inner) -> Option<String> {
    let job = server.acl.borrow().load_job()?;
    let read = job.run();
    let (reply, effect) = server.acl.borrow_mut().loaded(&job, read);
    // Nobody asked, so that nobody is spared.
    apply(server, ClientId(0), effect.as_ref());
    if let Reply::Error(text) = reply {
        // The first word is for clients.
        Some(text.strip_prefix("ERR ").unwrap_or(&text).to_owned())
    } else {
        None
    }
}

/// Ends the connections that a change of the rules hits.
fn apply(server: &Inner, caller: ClientId, effect: Option<&Effect>) {
    if let Some(effect) = effect {
        let acl = server.acl.borrow();
        server.end_where(caller, &mut |session| effect.ends(&acl, session));
    }
}

/// Answers a client when a task is done; its next requests wait until then.
fn later<F>(server: &Rc<Inner>, client: &Client, task: impl FnOnce(Rc<Inner>, ClientId) -> F)
where
    F: Future<Output = Option<Reply>> + 'static,
{
    client.mode.set(Mode::Waiting);
    let (server, id) = (Rc::clone(server), client.id);
    let answer = task(Rc::clone(&server), id);
    tokio::task::spawn_local(async move {
        let reply = answer.await.unwrap_or(Reply::err("ERR internal error, see the log"));
        server.late_answer(id, &reply);
    });
}

/// Runs what blocks on another thread; `None` if that thread panicked.
async fn off_thread<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(job).await.ok()
}

/// The time for the log of denied requests.
fn now(server: &Inner) -> Time {
    let age = server.started_at.elapsed();
    Time::from_micros(u64::try_from(age.as_micros()).unwrap_or(u64::MAX))
}
