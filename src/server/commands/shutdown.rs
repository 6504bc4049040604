//! SHUTDOWN.

use bytes::Bytes;

use super::super::client::{Client, Mode};
use super::super::inner::Inner;
use super::{SYNTAX, is};
use crate::resp::Reply;

/// `SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] [ABORT]`. Without a reply the process is about to end, and the client is not
/// served any more. What is to be saved is on the disk at any time, so that SAVE and NOSAVE are one.
pub(crate) fn shutdown(server: &Inner, client: &Client, args: &[Bytes]) -> Option<Reply> {
    let (mut save, mut nosave, mut abort, mut others) = (false, false, false, false);
    for word in &args[1..] {
        if is(word, "nosave") {
            nosave = true;
        } else if is(word, "save") {
            save = true;
        } else if is(word, "now") || is(word, "force") {
            others = true;
        } else if is(word, "abort") {
            abort = true;
        } else {
            return Some(SYNTAX);
        }
    }
    if (abort && (save || nosave || others)) || (save && nosave) {
        return Some(SYNTAX);
    }
    if abort {
        return Some(Reply::err("ERR No shutdown in progress."));
    }
    client.mode.set(Mode::Waiting);
    server.backend.shutdown();
    None
}
