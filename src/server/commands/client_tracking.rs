//! CLIENT TRACKING, TRACKINGINFO, GETREDIR and CACHING.

use bytes::Bytes;

use super::super::client::Client;
use super::super::inner::Inner;
use super::super::tracking::Tracking;
use super::client::on_or_off;
use super::{NOT_AN_INTEGER, SYNTAX, integer, is, show};
use crate::core::ids::ClientId;
use crate::resp::Reply;

/// Prefixes one client may have.
const MAX_PREFIXES: usize = 1024;

/// `CLIENT TRACKING ON|OFF [REDIRECT id] [BCAST] [PREFIX p ...] [OPTIN] [OPTOUT] [NOLOOP]`.
pub(super) fn tracking(server: &Inner, client: &Client, args: &[Bytes]) -> Result<Reply, Reply> {
    let wanted = parse(server, &args[3..])?;
    if !on_or_off(&args[2])? {
        *client.tracking.borrow_mut() = None;
        return Ok(Reply::OK);
    }
    let mut slot = client.tracking.borrow_mut();
    check(&wanted, slot.as_deref())?;
    let mut next = wanted;
    if next.broadcast {
        if next.prefixes.is_empty() {
            next.prefixes.push(Bytes::new());
        }
        next.prefixes.extend(slot.iter().flat_map(|present| present.prefixes.iter().cloned()));
        next.prefixes.sort();
        next.prefixes.dedup();
        if next.prefixes.len() > MAX_PREFIXES {
            return Err(Reply::err("ERR too many prefixes"));
        }
    }
    *slot = Some(Box::new(next));
    Ok(Reply::OK)
}

fn parse(server: &Inner, mut rest: &[Bytes]) -> Result<Tracking, Reply> {
    let mut wanted = Tracking::default();
    while let [option, tail @ ..] = rest {
        rest = tail;
        if is(option, "redirect")
            && let [id, more @ ..] = tail
        {
            if wanted.redirect.is_some() {
                return Err(Reply::err("ERR A client can only redirect to a single other client"));
            }
            let id = integer(id).ok_or(NOT_AN_INTEGER)?;
            let found = u64::try_from(id).ok().and_then(|id| server.client(ClientId(id)));
            let found = found.ok_or(Reply::err("ERR The client ID you want redirect to does not exist"))?;
            wanted.redirect = Some(found.id);
            rest = more;
        } else if is(option, "prefix")
            && let [prefix, more @ ..] = tail
        {
            wanted.prefixes.push(Bytes::copy_from_slice(prefix));
            rest = more;
        } else if is(option, "bcast") {
            wanted.broadcast = true;
        } else if is(option, "optin") {
            wanted.opt_in = true;
        } else if is(option, "optout") {
            wanted.opt_out = true;
        } else if is(option, "noloop") {
            wanted.no_loop = true;
        } else {
            return Err(SYNTAX);
        }
    }
    Ok(wanted)
}

/// Whether the options agree with each other and with what is on already.
fn check(wanted: &Tracking, present: Option<&Tracking>) -> Result<(), Reply> {
    if !wanted.broadcast && !wanted.prefixes.is_empty() {
        return Err(Reply::err("ERR PREFIX option requires BCAST mode to be enabled"));
    }
    if present.is_some_and(|present| present.broadcast != wanted.broadcast) {
        return Err(Reply::err(
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling \
             it with a different mode.",
        ));
    }
    if wanted.broadcast && (wanted.opt_in || wanted.opt_out) {
        return Err(Reply::err("ERR OPTIN and OPTOUT are not compatible with BCAST"));
    }
    if wanted.opt_in && wanted.opt_out {
        return Err(Reply::err("ERR You can't specify both OPTIN mode and OPTOUT mode"));
    }
    let switched =
        |present: &Tracking| (wanted.opt_in && present.opt_out) || (wanted.opt_out && present.opt_in);
    if present.is_some_and(switched) {
        return Err(Reply::err(
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling \
             it with a different mode.",
        ));
    }
    let present = present.map(|present| present.prefixes.as_slice()).unwrap_or_default();
    if wanted.prefixes.len() > MAX_PREFIXES {
        return Err(Reply::err("ERR too many prefixes"));
    }
    for (at, prefix) in wanted.prefixes.iter().enumerate() {
        for (others, which) in [(present, "an existing"), (&wanted.prefixes[at + 1..], "another provided")] {
            if let Some(other) =
                others.iter().find(|other| prefix.starts_with(other) || other.starts_with(prefix))
            {
                return Err(Reply::error(format!(
                    "ERR Prefix '{}' overlaps with {which} prefix '{}'. Prefixes for a single client must not overlap.",
                    show(prefix),
                    show(other)
                )));
            }
        }
    }
    Ok(())
}

/// `CLIENT TRACKINGINFO`.
pub(super) fn info(client: &Client) -> Reply {
    let tracking = client.tracking.borrow();
    let mut flags = Vec::new();
    let mut prefixes = Vec::new();
    match tracking.as_deref() {
        None => flags.push("off"),
        Some(tracking) => {
            let caching = tracking.caching;
            let shown = [
                (true, "on"),
                (tracking.broadcast, "bcast"),
                (tracking.opt_in, "optin"),
                (tracking.opt_in && caching, "caching-yes"),
                (tracking.opt_out, "optout"),
                (tracking.opt_out && caching, "caching-no"),
                (tracking.no_loop, "noloop"),
            ];
            flags.extend(shown.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag));
            prefixes.extend(tracking.prefixes.iter().cloned().map(Reply::Bulk));
        }
    }
    Reply::Map(vec![
        (Reply::bulk("flags"), Reply::Set(flags.into_iter().map(Reply::bulk).collect())),
        (Reply::bulk("redirect"), redirect(client)),
        (Reply::bulk("prefixes"), Reply::Array(prefixes)),
    ])
}

/// `CLIENT GETREDIR`: -1 without tracking, 0 without a redirection.
pub(super) fn redirect(client: &Client) -> Reply {
    Reply::Int(match client.tracking.borrow().as_ref() {
        None => -1,
        Some(tracking) => tracking.redirect.map_or(0, |id| i64::try_from(id.0).unwrap_or(i64::MAX)),
    })
}

/// `CLIENT CACHING YES|NO`.
pub(super) fn caching(client: &Client, word: &[u8]) -> Result<Reply, Reply> {
    let mut tracking = client.tracking.borrow_mut();
    let Some(tracking) = tracking.as_deref_mut() else {
        return Err(Reply::err(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode \
             enabled",
        ));
    };
    if is(word, "yes") {
        if !tracking.opt_in {
            return Err(Reply::err(
                "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
            ));
        }
    } else if is(word, "no") {
        if !tracking.opt_out {
            return Err(Reply::err(
                "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
            ));
        }
    } else {
        return Err(SYNTAX);
    }
    tracking.caching = true;
    Ok(Reply::OK)
}
