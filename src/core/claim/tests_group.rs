//! The group's Lease as values: what is printed is read back, unknown things stay, errors name their place.

use std::collections::BTreeMap;

use super::fields::Rest;
use super::group::{GroupLease, HISTORY_LENGTH, Instance, Primary, Replicas};
use super::plain::Plain;
use super::running::{Failover, Fence, Kind, Outcome, Past, Step};
use crate::core::ids::{ClaimId, GroupName, PodUid, RunId};

fn instance(pod: &str) -> Instance {
    Instance {
        pod: pod.to_owned(),
        uid: PodUid::from(format!("uid-{pod}")),
        address: "10.0.0.1:6379".to_owned(),
        run_id: RunId::from(format!("run-{pod}")),
    }
}

fn lease() -> GroupLease {
    let times: BTreeMap<String, u64> = [("chosen".to_owned(), 12)].into();
    let failover = Failover {
        claim: ClaimId::from("m.1.2"),
        kind: Kind::Failover,
        epoch: 8,
        why: "down".to_owned(),
        from: Some(instance("a")),
        candidate: Some(instance("c")),
        tried: vec![instance("b"), instance("c")],
        step: Step::Chosen,
        opinions: vec![RunId::from("m"), RunId::from("n")],
        fence: Fence::None,
        times: times.clone(),
        rest: Rest::new(),
    };
    let past = Past {
        epoch: 7,
        why: "down".to_owned(),
        outcome: Outcome::Done,
        from: String::new(),
        to: "a".to_owned(),
        times,
        rest: Rest::new(),
    };
    GroupLease {
        holder: Some(ClaimId::from("m.1.2")),
        transitions: 3,
        primary: Some(Primary {
            instance: instance("a"),
            replication_id: "ab".repeat(20),
            offset: u64::MAX,
            epoch: 7,
            rest: Rest::new(),
        }),
        replicas: Replicas {
            allowed: [PodUid::from("b")].into(),
            names: ["b".to_owned()].into(),
            min_replicas: 1,
            rest: Rest::new(),
        },
        failover: Some(failover),
        history: vec![past],
        ..GroupLease::new(GroupName::from("My Group"))
    }
}

fn changed(key: &str, from: &str, to: &str) -> Plain {
    let mut plain = lease().print();
    let value = plain.annotations.get_mut(key).unwrap();
    assert!(value.contains(from), "{value}");
    *value = value.replacen(from, to, 1);
    plain
}

#[test]
fn what_is_printed_is_read_back() {
    assert_eq!(GroupLease::parse(&lease().print()), Ok(lease()));
    let new = GroupLease::new(GroupName::from("g"));
    assert_eq!(GroupLease::parse(&new.print()), Ok(new));
}

#[test]
fn what_is_unknown_is_kept() {
    for key in ["vedette.dev/primary", "vedette.dev/replicas", "vedette.dev/failover"] {
        let plain = changed(key, "{", r#"{"later":{"x":[1,2]},"#);
        let again = GroupLease::parse(&plain).unwrap().print();
        assert!(again.annotations[key].contains(r#""later":{"x":[1,2]}"#), "{key}");
    }
    let plain = changed("vedette.dev/history", "{", r#"{"later":true,"#);
    assert!(GroupLease::parse(&plain).unwrap().print().annotations["vedette.dev/history"].contains("later"));
    let mut plain = lease().print();
    plain.annotations.insert("vedette.dev/newer".to_owned(), "x".to_owned());
    assert_eq!(GroupLease::parse(&plain).unwrap().print(), plain);
}

#[test]
fn errors_name_the_place_and_the_value() {
    let error =
        |key: &str, from: &str, to: &str| GroupLease::parse(&changed(key, from, to)).unwrap_err().to_string();
    assert_eq!(
        error("vedette.dev/primary", r#""epoch":7"#, r#""epoch":"7""#),
        "vedette.dev/primary: epoch: '\"7\"' is no whole number from 0"
    );
    assert_eq!(
        error("vedette.dev/failover", r#""step":"chosen""#, r#""step":"jumped""#),
        "vedette.dev/failover: step: 'jumped' is not known"
    );
    assert_eq!(
        error("vedette.dev/failover", r#""tried":[{"#, r#""tried":[1,{"#),
        "vedette.dev/failover: tried[0]: '1' is no object"
    );
    assert_eq!(error("vedette.dev/history", "[", "{"), {
        let text = lease().print().annotations["vedette.dev/history"].replacen('[', "{", 1);
        let shown: String = text.chars().take(80).collect();
        format!("vedette.dev/history: '{shown}...' is no JSON")
    });
    let mut plain = lease().print();
    plain.annotations.remove("vedette.dev/group");
    assert_eq!(GroupLease::parse(&plain).unwrap_err().to_string(), "vedette.dev/group: '' is missing");
}

#[test]
fn sizes_are_bounded() {
    let mut long = lease();
    long.history = vec![long.history[0].clone(); HISTORY_LENGTH + 1];
    assert_eq!(GroupLease::parse(&long.print()).unwrap_err().problem, "are too many");
    let mut long = lease();
    long.holder = Some(ClaimId::from("x".repeat(129)));
    assert_eq!(GroupLease::parse(&long.print()).unwrap_err().place, "holderIdentity");
    let long = GroupLease::new(GroupName::from("x".repeat(600)));
    assert_eq!(GroupLease::parse(&long.print()).unwrap_err().problem, "is no group's name");
}
