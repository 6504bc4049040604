use super::*;
use crate::core::group::{Failover, State};
use crate::core::instance::{Detail, Reconf};

fn names(row: &str) -> Vec<&str> {
    row.trim_matches(['[', ']']).split(' ').step_by(2).collect()
}

#[test]
fn unknown_groups() {
    let mut desk = Desk::new();
    desk.check(&[
        ("sentinel master nope", NO_SUCH),
        ("sentinel primary nope", NO_SUCH),
        ("sentinel replicas nope", NO_SUCH),
        ("sentinel slaves MM", NO_SUCH),
        ("sentinel sentinels nope", NO_SUCH),
        ("sentinel ckquorum nope", NO_SUCH),
        ("sentinel failover nope", NO_SUCH),
        ("sentinel remove nope", NO_SUCH),
        ("sentinel set nope quorum 1", NO_SUCH),
        ("sentinel get-master-addr-by-name nope", "*-1"),
        ("sentinel get-primary-addr-by-name nope", "*-1"),
        ("sentinel info-cache nope", "[]"),
        ("sentinel reset nope", ":0"),
    ]);
    assert_eq!(desk.saves, 0);
}

#[test]
fn small_answers() {
    let mut desk = Desk::new();
    desk.check(&[
        ("SENTINEL MyId", ME),
        ("role", "[sentinel [mm]]"),
        ("sentinel get-master-addr-by-name mm", "[127.0.0.1 6379]"),
        ("sentinel GET-PRIMARY-ADDR-BY-NAME mm", "[127.0.0.1 6379]"),
        ("sentinel pending-scripts", "[]"),
        ("sentinel info-cache zz mm mm", "[mm [[:0 $-1] [:0 $-1]]]"),
        ("sentinel nope", "-ERR unknown subcommand 'nope'. Try SENTINEL HELP."),
        ("publish foo bar", "-ERR Only HELLO messages are accepted by Sentinel instances."),
        ("publish __SENTINEL__:hello bar", "-ERR Only HELLO messages are accepted by Sentinel instances."),
        ("publish __sentinel__:hello bar", ":1"),
    ]);
}

#[test]
fn a_published_hello_is_heard() {
    let mut desk = Desk::new();
    let hello = format!("127.0.0.1,26381,{},0,mm,127.0.0.1,6379,0", "c".repeat(40));
    assert_eq!(desk.ask(&format!("publish __sentinel__:hello {hello}")), ":1");
    assert_eq!(desk.field("mm", "num-other-sentinels").as_deref(), Some("2"));
}

#[test]
fn a_primary_as_it_is_shown() {
    let mut desk = Desk::new();
    let reply = desk.ask("sentinel master mm");
    assert_eq!(
        reply,
        "[name mm ip 127.0.0.1 port 6379 runid '' flags master link-pending-commands 3 link-refcount 1 \
         last-ping-sent 0 last-ok-ping-reply 0 last-ping-reply 0 down-after-milliseconds 3000 info-refresh 0 \
         role-reported master role-reported-time 0 config-epoch 0 num-slaves 1 num-other-sentinels 1 quorum 2 \
         failover-timeout 180000 parallel-syncs 1]"
    );
    assert_eq!(desk.ask("sentinel primary mm"), reply);
    assert_eq!(desk.ask("sentinel masters"), format!("[{reply}]"));
    assert_eq!(desk.ask("sentinel primaries"), format!("[{reply}]"));
}

#[test]
fn a_replica_and_a_peer_as_they_are_shown() {
    let mut desk = Desk::new();
    let reply = desk.ask("sentinel replicas mm");
    assert_eq!(
        reply,
        "[[name 127.0.0.1:6380 ip 127.0.0.1 port 6380 runid '' flags slave link-pending-commands 3 link-refcount 1 \
         last-ping-sent 0 last-ok-ping-reply 0 last-ping-reply 0 down-after-milliseconds 3000 info-refresh 0 \
         role-reported slave role-reported-time 0 master-link-down-time 0 master-link-status err master-host ? \
         master-port 0 slave-priority 100 slave-repl-offset 0 replica-announced 1]]"
    );
    assert_eq!(desk.ask("sentinel slaves mm"), reply);
    let reply = desk.ask("sentinel sentinels mm");
    assert_eq!(
        reply,
        format!(
            "[[name {PEER} ip 127.0.0.1 port 26380 runid {PEER} flags sentinel link-pending-commands 2 \
             link-refcount 1 last-ping-sent 0 last-ok-ping-reply 0 last-ping-reply 0 down-after-milliseconds 3000 \
             last-hello-message 0 voted-leader ? voted-leader-epoch 0]]"
        )
    );
}

#[test]
fn fields_that_are_there_only_at_times_have_their_place() {
    let mut desk = Desk::new();
    let now = desk.now;
    let group = desk.engine.groups.values_mut().next().unwrap();
    group.options.notification_script = Some("n.sh".to_owned());
    group.options.client_reconfig_script = Some("r.sh".to_owned());
    group.primary.down_since = Some(now);
    group.odown_since = Some(now);
    group.failover = Some(Failover {
        switchover: None,
        state: State::SelectReplica,
        state_at: now,
        epoch: 1,
        forced: true,
        promoted: None,
        own_vote_saved: true,
        again_at: None,
        committing: None,
        phase_at: now,
        timed_out: false,
    });
    let replica = group.replicas.values_mut().next().unwrap();
    replica.down_since = Some(now);
    if let Detail::Data(data) = &mut replica.detail {
        data.reconf = Reconf::Sent(now);
        data.primary_host = Some("10.0.0.1".to_owned());
        data.link_up = true;
    }
    let id = group.id;
    let group = &desk.engine.groups[&id];
    let row = text(&desk.engine.row(group, &group.primary, now));
    assert!(row.contains("flags s_down,o_down,master,failover_in_progress,force_failover "), "{row}");
    assert!(row.contains("link-refcount 1 failover-state select_slave last-ping-sent"), "{row}");
    assert!(row.contains("s-down-time 0 o-down-time 0 down-after-milliseconds"), "{row}");
    assert!(row.ends_with("parallel-syncs 1 notification-script n.sh client-reconfig-script r.sh]"), "{row}");
    assert_eq!(names(&row).len(), 25);
    let row = text(&desk.engine.row(group, group.replicas.values().next().unwrap(), now));
    assert!(row.contains("flags s_down,slave,reconf_sent "), "{row}");
    assert!(row.contains("master-link-status ok master-host 10.0.0.1 master-port 0"), "{row}");
    assert_eq!(names(&row).len(), 22, "s-down-time, and neither o-down-time nor failover-state");
}

#[test]
fn replicas_that_are_not_announced_are_counted_but_not_listed() {
    let mut desk = Desk::new();
    let group = desk.engine.groups.values_mut().next().unwrap();
    if let Detail::Data(data) = &mut group.replicas.values_mut().next().unwrap().detail {
        data.announced = false;
    }
    assert_eq!(desk.ask("sentinel replicas mm"), "[]");
    assert_eq!(desk.field("mm", "num-slaves").as_deref(), Some("1"));
}

#[test]
fn quorum_and_majority() {
    let mut desk = Desk::new();
    let ok = "+OK 2 usable Sentinels. Quorum and failover authorization can be reached";
    assert_eq!(desk.ask("sentinel ckquorum mm"), ok);
    desk.ask("sentinel set mm quorum 3");
    let quorum = "Not enough available Sentinels to reach the specified quorum for this master";
    assert_eq!(desk.ask("sentinel ckquorum mm"), format!("-NOQUORUM 2 usable Sentinels. {quorum}"));
    let now = desk.now;
    let group = desk.engine.groups.values_mut().next().unwrap();
    group.peers.values_mut().next().unwrap().down_since = Some(now);
    let id = group.id;
    let majority = "Not enough available Sentinels to reach the majority and authorize a failover";
    let args = ["sentinel", "ckquorum", "mm"].map(Bytes::from);
    let words = super::super::words::Words(&args);
    let reply = text(&desk.engine.check_quorum(&words, desk.now));
    assert_eq!(reply, format!("-NOQUORUM 1 usable Sentinels. {quorum}. {majority}"));
    desk.engine.groups.get_mut(&id).unwrap().options.quorum = 1;
    let reply = text(&desk.engine.check_quorum(&words, desk.now));
    assert_eq!(reply, format!("-NOQUORUM 1 usable Sentinels. {majority}"));
}

#[test]
fn opinions_need_numbers_and_no_negative_epoch() {
    let mut desk = Desk::new();
    let bad = "-ERR value is not an integer or out of range";
    desk.check(&[
        ("sentinel is-master-down-by-addr 127.0.0.1 x 1 *", bad),
        ("sentinel is-master-down-by-addr 127.0.0.1 6379 x *", bad),
        ("sentinel is-master-down-by-addr 127.0.0.1 6379 -1 *", bad),
        ("sentinel is-master-down-by-addr 127.0.0.1 6379 9223372036854775808 *", bad),
        ("sentinel is-master-down-by-addr 127.0.0.1 6379 0 *", "[:0 * :0]"),
        ("sentinel is-master-down-by-addr nohost 99999999 0 *", "[:0 * :0]"),
        ("sentinel is-master-down-by-addr 127.0.0.1 -1 7 somebody", "[:0 * :0]"),
        ("sentinel is-master-down-by-addr 127.0.0.1 1 7 somebody", "[:0 * :0]"),
        ("sentinel is-master-down-by-addr 127.0.0.1 6379 3 somebody", "[:0 somebody :3]"),
        ("sentinel is-primary-down-by-addr 127.0.0.1 6379 3 another", "[:0 somebody :3]"),
    ]);
    assert!(desk.events.contains(&"+new-epoch 3".to_owned()));
}

#[test]
fn help_has_the_known_shape() {
    let mut desk = Desk::new();
    desk.ask("sentinel help");
    desk.send(&["sentinel", "help"]);
    let reply = desk.replies.pop().unwrap().1;
    let lines = reply.elements().unwrap();
    assert_eq!(lines.len(), 49);
    assert!(lines.iter().all(|line| matches!(line, Reply::Simple(_))));
    assert_eq!(lines[0].text(), Some("SENTINEL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    assert_eq!(lines[47].text(), Some("HELP"));
    assert!(lines[48].text().unwrap().starts_with("    "));
}

#[test]
fn debug_shows_and_changes_periods() {
    let mut desk = Desk::new();
    assert!(desk.ask("sentinel debug").starts_with("[INFO-PERIOD 10000 PING-PERIOD 1000 ASK-PERIOD 1000 "));
    let unknown = "-ERR Unknown option or number of arguments for SENTINEL DEBUG";
    let invalid = "-ERR Invalid argument";
    desk.check(&[
        ("sentinel debug info-period 8888 Ping-Period 100", OK),
        ("sentinel debug ping-period 0", &format!("{invalid} '0' for SENTINEL DEBUG 'ping-period'")),
        ("sentinel debug ping-period x", &format!("{invalid} 'x' for SENTINEL DEBUG 'ping-period'")),
        ("sentinel debug fake 1", &format!("{unknown} 'fake'")),
        ("sentinel debug ping-period", &format!("{unknown} 'ping-period'")),
        ("sentinel debug ask-period 7 fake", &format!("{unknown} 'fake'")),
        (
            "sentinel debug ask-period 8 Ping-Period -1",
            &format!("{invalid} '-1' for SENTINEL DEBUG 'Ping-Period'"),
        ),
    ]);
    assert!(desk.ask("sentinel debug").starts_with("[INFO-PERIOD 8888 PING-PERIOD 100 ASK-PERIOD 8 "));
    assert_eq!(desk.saves, 0);
}

#[test]
fn simulated_failures_begin_anew_with_each_call() {
    let mut desk = Desk::new();
    let flags = |desk: &Desk| {
        let section = desk.engine.info_section(desk.now);
        section
            .lines()
            .find_map(|line| line.strip_prefix("sentinel_simulate_failure_flags:"))
            .unwrap()
            .to_owned()
    };
    let unknown = "-ERR Unknown failure simulation specified";
    let help = "[crash-after-election crash-after-promotion]";
    for (words, reply, left) in [
        ("crash-after-promotion CRASH-AFTER-ELECTION", OK, "3"),
        ("help", help, "0"),
        ("crash-after-promotion", OK, "2"),
        ("fake crash-after-promotion", unknown, "0"),
        ("crash-after-election fake", unknown, "1"),
        ("crash-after-election HELP", help, "1"),
    ] {
        assert_eq!(desk.ask(&format!("sentinel simulate-failure {words}")), reply, "{words}");
        assert_eq!(flags(&desk), left, "{words}");
    }
    let text = "Failure simulation: this Sentinel will crash after promoting the selected replica to master";
    assert!(desk.logs.contains(&text.to_owned()));
}

#[test]
fn the_info_section_and_the_view() {
    let mut desk = Desk::new();
    assert_eq!(
        desk.engine.info_section(desk.now),
        "# Sentinel\r\nsentinel_masters:1\r\nsentinel_tilt:0\r\nsentinel_tilt_since_seconds:-1\r\n\
         sentinel_running_scripts:0\r\nsentinel_scripts_queue_length:0\r\nsentinel_simulate_failure_flags:0\r\n\
         master0:name=mm,status=ok,address=127.0.0.1:6379,slaves=1,sentinels=2\r\n"
    );
    desk.engine.shared.tilt.enter(desk.now);
    let later = desk.now + Duration::from_millis(2500);
    assert!(desk.engine.info_section(later).contains("sentinel_tilt:1\r\nsentinel_tilt_since_seconds:2\r\n"));
    let now = desk.now;
    let group = desk.engine.groups.values_mut().next().unwrap();
    group.primary.down_since = Some(now);
    assert!(desk.engine.info_section(now).contains("status=sdown"));
    desk.engine.groups.values_mut().next().unwrap().odown_since = Some(now);
    assert!(desk.engine.info_section(now).contains("status=odown"));
    let view = desk.engine.view(later);
    assert_eq!((view.tilt, view.tilt_since_ms), (true, Some(2500)));
    let group = &view.groups[0];
    assert_eq!((group.status, group.usable_sentinels, group.quorum_reachable), ("odown", 2, true));
    assert_eq!((group.primary.down, group.primary.link_ok), (true, None));
    assert_eq!((group.replicas[0].name.as_str(), group.replicas[0].link_ok), ("127.0.0.1:6380", Some(false)));
    assert_eq!((group.sentinels[0].role, group.sentinels[0].run_id.as_str()), (None, PEER));
}
