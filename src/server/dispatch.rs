//! From a request to its execution: command, number of words, authentication, rights, context, pause, in this order.

use std::rc::Rc;

use bytes::Bytes;
use tokio::time::Instant;

use super::access;
use super::client::{Client, Ending, Mode};
use super::commands::{self, client as client_commands, hello, info, shutdown, subscribe};
use super::counters::bump;
use super::docs;
use super::inner::Inner;
use super::table::{CommandSpec, Flags, LookupError};
use crate::core::action::Level;
use crate::resp::{Protocol, Reply};

pub(super) use super::access::must_authenticate;

/// Bytes of an unknown command, and of its arguments together, that the error repeats.
const SHOWN: usize = 128;

/// How it goes on with a client after a request.
#[derive(Debug)]
pub(super) enum Next {
    /// The request has been dealt with.
    Done,
    /// The daemon behind answers it, or has done so already.
    Wait,
    /// It has to be executed later.
    Hold(Vec<Bytes>),
}

/// Checks and executes one request.
pub(super) fn execute(server: &Rc<Inner>, client: &Rc<Client>, args: Vec<Bytes>) -> Next {
    let spec = match server.table.find(&args) {
        Ok(spec) => spec,
        Err(error) => {
            refuse(server, client, error, &args);
            return Next::Done;
        }
    };
    client.last_command.set(spec.full_name);
    if !spec.flags.contains(Flags::NO_AUTH) && must_authenticate(server, client) {
        return done(server, client, &Reply::err("NOAUTH Authentication required."));
    }
    if let Err(error) = access::check(server, client, spec, &args) {
        return done(server, client, &error);
    }
    if client.protocol.get() == Protocol::Resp2
        && client.subscription_count() > 0
        && !allowed_subscribed(spec)
    {
        let text = format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in \
             this context",
            spec.full_name
        );
        return done(server, client, &Reply::error(text));
    }
    if let Some(tracking) = client.tracking.borrow_mut().as_mut()
        && !spec.full_name.starts_with("client|")
    {
        // CLIENT CACHING is a word about the next command only.
        tracking.caching = false;
    }
    let held = server.pause.borrow().is_some_and(|pause| pause.holds(spec, Instant::now()));
    if held {
        client.mode.set(Mode::Paused);
        return Next::Hold(args);
    }
    bump(&server.counters.commands);
    bump(&server.counters.by_command[usize::from(spec.id)]);
    call(server, client, spec, args)
}

/// Answers a request that is no command.
fn refuse(server: &Inner, client: &Client, error: LookupError, args: &[Bytes]) {
    client.last_command.set("NULL");
    match error {
        LookupError::UnknownCommand => {
            let name = args.first().map(Bytes::as_ref).unwrap_or_default();
            if name.eq_ignore_ascii_case(b"host:") || name.eq_ignore_ascii_case(b"post") {
                server.log(
                    Level::Warning,
                    &format!(
                        "A client sent an HTTP request, which may be an attack by way of somebody's browser. \
                         Connection from {} aborted.",
                        client.peer
                    ),
                );
                client.end(Ending::Now);
                return;
            }
            server.answer_error(client, &unknown_command(name, args));
        }
        LookupError::UnknownSubcommand => {
            let container =
                args.first().map(|name| shown(name, SHOWN).to_ascii_uppercase()).unwrap_or_default();
            let mut text = b"ERR unknown subcommand '".to_vec();
            text.extend_from_slice(args.get(1).map(|name| shown(name, SHOWN)).unwrap_or_default());
            text.extend_from_slice(b"'. Try ");
            text.extend_from_slice(&container);
            text.extend_from_slice(b" HELP.");
            server.answer_error(client, &text);
        }
        LookupError::Arity(spec) => {
            client.last_command.set(spec.full_name);
            server.answer_error(client, spec.arity_text().as_bytes());
        }
    }
}

/// Bytes as C's text functions show them: up to a zero byte, and no more than `room`.
fn shown(word: &[u8], room: usize) -> &[u8] {
    let end = word.iter().position(|byte| *byte == 0).unwrap_or(word.len());
    &word[..end.min(room)]
}

fn unknown_command(name: &[u8], args: &[Bytes]) -> Vec<u8> {
    let mut shown_args = Vec::new();
    for word in args.iter().skip(1) {
        if shown_args.len() >= SHOWN {
            break;
        }
        let room = SHOWN - shown_args.len();
        shown_args.push(b'\'');
        shown_args.extend_from_slice(shown(word, room));
        shown_args.extend_from_slice(b"' ");
    }
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(shown(name, SHOWN));
    text.extend_from_slice(b"', with args beginning with: ");
    text.extend_from_slice(&shown_args);
    text
}

/// What a RESP2 client with subscriptions may still send.
fn allowed_subscribed(spec: &CommandSpec) -> bool {
    matches!(spec.full_name, "ping" | "subscribe" | "psubscribe" | "unsubscribe" | "punsubscribe" | "quit")
}

fn call(server: &Rc<Inner>, client: &Rc<Client>, spec: &'static CommandSpec, args: Vec<Bytes>) -> Next {
    let reply = match spec.full_name {
        name @ ("role" | "publish") => return behind(server, client, name, args),
        name if name.starts_with("sentinel|") => return behind(server, client, "sentinel", args),
        "ping" => commands::ping(client, &args),
        "quit" => {
            client.end(Ending::Flushed);
            Reply::OK
        }
        "auth" => hello::auth(server, client, &args),
        "hello" => match hello::hello(server, client, &args) {
            Ok(reply) | Err(reply) => reply,
        },
        "info" => info::info(server, &args),
        "shutdown" => match shutdown::shutdown(server, client, &args) {
            Some(reply) => reply,
            None => return Next::Wait,
        },
        "subscribe" | "psubscribe" | "unsubscribe" | "punsubscribe" => {
            subscribe::execute(server, client, spec.full_name, &args);
            return Next::Done;
        }
        name if name.starts_with("client|") => match client_commands::execute(server, client, name, &args) {
            Some(reply) => reply,
            None => return Next::Done,
        },
        name if name.starts_with("acl|") => match access::execute(server, client, &args) {
            Some(reply) => reply,
            None => return Next::Wait,
        },
        _ => docs::command(&server.table, &args),
    };
    done(server, client, &reply)
}

fn done(server: &Inner, client: &Client, reply: &Reply) -> Next {
    server.answer(client, reply);
    Next::Done
}

/// Hands a command to the daemon behind, which may answer before this returns. It knows the command by its own name,
/// whatever `rename-command` made of it.
fn behind(server: &Inner, client: &Client, name: &'static str, mut args: Vec<Bytes>) -> Next {
    if let Some(word) = args.first_mut() {
        *word = Bytes::from_static(name.as_bytes());
    }
    client.mode.set(Mode::Waiting);
    server.backend.command(client.id, args);
    Next::Wait
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(args: &[&'static [u8]]) -> String {
        let args: Vec<Bytes> = args.iter().copied().map(Bytes::from_static).collect();
        String::from_utf8_lossy(&unknown_command(&args[0], &args)).into_owned()
    }

    #[test]
    fn an_unknown_command_is_repeated_within_limits() {
        assert_eq!(unknown(&[b"GET"]), "ERR unknown command 'GET', with args beginning with: ");
        assert_eq!(
            unknown(&[b"a\0b", b"c\0d", b""]),
            "ERR unknown command 'a', with args beginning with: 'c' '' "
        );
        let long: &[u8] = &[b'x'; 100];
        assert_eq!(
            unknown(&[b"F", long, long, long]),
            format!(
                "ERR unknown command 'F', with args beginning with: '{}' '{}' ",
                "x".repeat(100),
                "x".repeat(25)
            )
        );
    }
}
