//! Requests as a Sentinel sends them: arrays of bulk strings.

/// One request: its words, and how many bytes it took.
pub(super) type Request = (Vec<String>, usize);

/// The first request of `bytes`; nothing while it is not complete. `Err` is no RESP.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Request>, ()> {
    let mut at = 0;
    let Some(count) = header(bytes, &mut at, b'*')? else { return Ok(None) };
    let mut words = Vec::with_capacity(count.min(16));
    for _ in 0..count {
        let Some(length) = header(bytes, &mut at, b'$')? else { return Ok(None) };
        if bytes.len() < at + length + 2 {
            return Ok(None);
        }
        words.push(String::from_utf8_lossy(&bytes[at..at + length]).into_owned());
        at += length + 2;
    }
    Ok(Some((words, at)))
}

/// The number of a line like `*3`.
fn header(bytes: &[u8], at: &mut usize, kind: u8) -> Result<Option<usize>, ()> {
    let rest = &bytes[*at..];
    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    if rest[0] != kind || end < 2 {
        return Err(());
    }
    let digits = std::str::from_utf8(&rest[1..end - 1]).map_err(|_| ())?;
    *at += end + 1;
    digits.parse().map(Some).map_err(|_| ())
}
