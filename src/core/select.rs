//! Which replica is promoted: a pure function over what is known of each.

use std::cmp::Reverse;

/// What the choice looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) name: String,
    pub(crate) run_id: String,
    /// It calls itself a primary: its priority is hearsay, and it took part in no replication of late.
    pub(crate) stray: bool,
    /// The primary itself has become its replica and is linked to it: what the primary held is there, or will be taken
    /// from there. A switchover whose daemon died is finished so, by whoever leads, and with the same outcome.
    pub(crate) followed: bool,
    /// It reads its data, or has given them up for those of a primary that had lost them.
    pub(crate) emptied: bool,
    pub(crate) priority: u32,
    pub(crate) offset: u64,
    /// Down, disconnected, silent, uninformed, or cut from the primary for too long.
    pub(crate) unfit: bool,
}

/// The best: the one that the primary follows, a replica by its own word before any other, then one that has its data,
/// then lowest priority number but not 0, then most data, then
/// smallest run id, an unknown one last.
pub(crate) fn best(candidates: &[Candidate]) -> Option<&Candidate> {
    candidates.iter().filter(|candidate| !candidate.unfit && candidate.priority != 0).min_by_key(
        |candidate| {
            let run_id = candidate.run_id.to_ascii_lowercase();
            (
                !candidate.followed,
                candidate.stray,
                candidate.emptied,
                candidate.priority,
                Reverse(candidate.offset),
                run_id.is_empty(),
                run_id,
                candidate.name.clone(),
            )
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str, priority: u32, offset: u64, run_id: &str) -> Candidate {
        Candidate {
            name: name.to_owned(),
            run_id: run_id.to_owned(),
            stray: false,
            followed: false,
            emptied: false,
            priority,
            offset,
            unfit: false,
        }
    }

    fn choice(candidates: &[Candidate]) -> Option<&str> {
        best(candidates).map(|candidate| candidate.name.as_str())
    }

    #[test]
    fn priority_then_offset_then_run_id() {
        let a = candidate("a", 100, 5, "b");
        assert_eq!(choice(&[a.clone(), candidate("b", 10, 1, "z")]), Some("b"));
        assert_eq!(choice(&[a.clone(), candidate("b", 100, 6, "z")]), Some("b"));
        assert_eq!(choice(&[a.clone(), candidate("b", 100, 5, "A")]), Some("b"), "without regard to case");
        assert_eq!(choice(&[candidate("b", 100, 5, ""), a]), Some("a"), "unknown run id last");
    }

    #[test]
    fn what_calls_itself_a_primary_is_the_last_resort() {
        let stray = Candidate { stray: true, ..candidate("a", 1, 9, "a") };
        assert_eq!(choice(&[stray.clone(), candidate("b", 100, 5, "b")]), Some("b"));
        assert_eq!(choice(&[stray]), Some("a"));
    }

    #[test]
    fn what_the_primary_itself_follows_comes_first() {
        let heir = Candidate { stray: true, followed: true, ..candidate("a", 100, 1, "z") };
        assert_eq!(choice(&[heir.clone(), candidate("b", 1, 5, "b")]), Some("a"));
        assert_eq!(choice(&[Candidate { unfit: true, ..heir }, candidate("b", 1, 5, "b")]), Some("b"));
    }

    #[test]
    fn one_without_its_data_comes_after_all_that_have_theirs() {
        let emptied = Candidate { emptied: true, ..candidate("a", 1, 9, "a") };
        assert_eq!(choice(&[emptied.clone(), candidate("b", 100, 5, "b")]), Some("b"));
        assert_eq!(choice(&[emptied]), Some("a"));
    }

    #[test]
    fn the_unfit_and_priority_zero_are_never_chosen() {
        let unfit = Candidate { unfit: true, ..candidate("a", 1, 9, "a") };
        assert_eq!(choice(&[unfit, candidate("b", 0, 9, "a")]), None);
        assert_eq!(choice(&[]), None);
    }
}
