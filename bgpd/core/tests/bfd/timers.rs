//! Timers between two speakers: negotiation, Poll Sequences, detection, Demand.

use std::time::Duration;

use bgp_core::bfd::{Diagnostic, State, decode};

use super::world::{Fate, World, settings};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn two_speakers_come_up_slowly_and_then_speak_as_agreed() {
    let mut world = World::new(settings(300, 3), settings(50, 3));
    world.run(ms(20_000));
    assert_eq!(world.states(), [State::Up, State::Up]);
    assert_eq!(world.changes.last().unwrap().2.to, State::Up);
    // The slower one decides (§6.8.2), for both directions.
    for who in 0..2 {
        let seen = world.ends[who].snapshot();
        assert_eq!(
            (
                seen.transmit_interval,
                seen.receive_interval,
                seen.detection_time
            ),
            (ms(300), ms(300), ms(900)),
        );
    }
    world.sent.clear();
    world.run(ms(60_000));
    for who in 0..2 {
        let gaps = world.gaps(who);
        assert!(
            gaps.iter().all(|gap| (225.0..=300.1).contains(gap)),
            "{gaps:?}"
        );
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        assert!((255.0..270.0).contains(&mean), "87.5 % on average: {mean}");
        assert!(
            world
                .sent
                .iter()
                .all(|(_, _, header)| !header.poll && !header.r#final)
        );
    }
}

#[test]
fn while_not_up_a_packet_a_second_at_most_goes_out() {
    let mut world = World::new(settings(10, 3), settings(10, 3));
    world.wire = [Fate::Lose; 2];
    world.run(ms(30_000));
    let gaps = world.gaps(0);
    assert!(
        gaps.iter().all(|gap| (750.0..=1000.1).contains(gap)),
        "{gaps:?}"
    );
}

#[test]
fn with_a_multiplier_of_one_packets_are_never_later_than_nine_tenths() {
    let mut world = World::up(settings(100, 1), settings(100, 1));
    world.run(ms(60_000));
    let gaps = world.gaps(0);
    assert!(
        gaps.iter().all(|gap| (75.0..=90.1).contains(gap)),
        "{gaps:?}"
    );
    assert!(world.changes.is_empty());
}

#[test]
fn silence_is_noticed_by_the_far_ends_multiplier() {
    let mut world = World::up(settings(100, 7), settings(100, 3));
    world.run(ms(1_000));
    world.wire = [Fate::Lose; 2];
    let last = world
        .sent
        .iter()
        .rfind(|(_, from, _)| *from == 1)
        .unwrap()
        .0;
    world.run(ms(5_000));
    let (at, _, change) = *world.changes.iter().find(|(_, who, _)| *who == 0).unwrap();
    assert_eq!(at - last, ms(300), "3 × 100 ms, as the far end has it");
    assert_eq!(change.diagnostic, Diagnostic::DETECTION_TIME_EXPIRED);
    assert_eq!(world.states(), [State::Down, State::Down]);
}

#[test]
fn one_way_loss_is_told_by_the_far_end_at_once() {
    let mut world = World::up(settings(100, 3), settings(100, 3));
    world.wire[0] = Fate::Lose;
    world.run(ms(1_000));
    let (_, who, theirs) = world.changes[0];
    assert_eq!(
        (who, theirs.diagnostic),
        (1, Diagnostic::DETECTION_TIME_EXPIRED)
    );
    let (_, who, ours) = world.changes[1];
    assert_eq!(
        (who, ours.diagnostic),
        (0, Diagnostic::NEIGHBOR_SIGNALED_DOWN)
    );
    assert_eq!(ours.remote_diagnostic, Diagnostic::DETECTION_TIME_EXPIRED);
    world.wire[0] = Fate::Deliver;
    world.run(ms(5_000));
    assert_eq!(world.states(), [State::Up, State::Up]);
}

#[test]
fn timers_change_in_place_by_a_poll_either_way() {
    for (before, after) in [(50, 1000), (1000, 50), (300, 10)] {
        let mut world = World::up(settings(before, 3), settings(before, 3));
        let now = world.now;
        world.ends[0].reconfigure(settings(after, 3), now);
        world.ends[1].reconfigure(settings(after, 3), now);
        world.run(ms(15_000));
        assert!(
            world.changes.is_empty(),
            "{before} to {after}: {:?}",
            world.changes
        );
        let seen = world.ends[0].snapshot();
        assert_eq!(seen.transmit_interval, ms(after));
        assert_eq!(seen.detection_time, ms(after * 3));
        let polls = world.sent.iter().filter(|(_, _, header)| header.poll);
        assert!((2..=4).contains(&polls.count()), "one Poll Sequence an end");
    }
}

#[test]
fn a_longer_interval_waits_for_the_final() {
    let mut world = World::up(settings(50, 9), settings(50, 9));
    // What the far end answers is lost: it may not have heard.
    world.wire[1] = Fate::Lose;
    let mut slower = settings(50, 9);
    slower.transmit_interval = ms(1000);
    let now = world.now;
    world.ends[0].reconfigure(slower, now);
    world.run(ms(100));
    assert_eq!(world.ends[0].snapshot().transmit_interval, ms(50));
    world.wire[1] = Fate::Deliver;
    world.run(ms(200));
    assert_eq!(world.ends[0].snapshot().transmit_interval, ms(1000));
    assert!(world.changes.is_empty());
}

#[test]
fn a_shorter_detection_waits_for_the_final() {
    let mut world = World::up(settings(300, 3), settings(300, 3));
    world.wire[1] = Fate::Lose;
    let mut faster = settings(300, 3);
    faster.receive_interval = ms(100);
    let now = world.now;
    world.ends[0].reconfigure(faster, now);
    world.run(ms(500));
    assert_eq!(world.ends[0].snapshot().detection_time, ms(900));
    assert_eq!(world.ends[0].state(), State::Up);
}

#[test]
fn changes_during_a_poll_have_a_poll_of_their_own() {
    let mut world = World::up(settings(300, 3), settings(10, 3));
    world.wire[1] = Fate::Lose;
    let now = world.now;
    world.ends[0].reconfigure(settings(100, 3), now);
    world.run(ms(50));
    let now = world.now;
    world.ends[0].reconfigure(settings(50, 3), now);
    world.wire[1] = Fate::Deliver;
    world.run(ms(5_000));
    let seen = world.ends[0].snapshot();
    assert_eq!(
        (seen.transmit_interval, seen.detection_time),
        (ms(50), ms(150))
    );
    assert!(world.changes.is_empty());
}

#[test]
fn an_administrative_down_is_told_and_ends_with_enabling() {
    let mut world = World::up(settings(100, 3), settings(100, 3));
    let now = world.now;
    world.ends[1].disable(Diagnostic::ADMINISTRATIVELY_DOWN, now);
    world.flush();
    assert_eq!(world.states(), [State::Down, State::AdminDown]);
    let told = world
        .changes
        .iter()
        .find(|(_, who, _)| *who == 0)
        .unwrap()
        .2;
    assert_eq!(told.remote_state, State::AdminDown);
    let now = world.now;
    world.ends[1].enable(now);
    world.run(ms(5_000));
    assert_eq!(world.states(), [State::Up, State::Up]);
}

#[test]
fn a_far_end_in_demand_mode_gets_no_periodic_packets_but_its_polls_answered() {
    let mut world = World::up(settings(100, 3), settings(100, 3));
    let mut theirs = world.sent.last().map(|(_, _, header)| *header);
    world.run(ms(500));
    theirs = world
        .sent
        .iter()
        .rfind(|(_, from, _)| *from == 1)
        .map(|(_, _, h)| *h)
        .or(theirs);
    let mut theirs = theirs.unwrap();
    theirs.demand = true;
    let mut session = world.ends.into_iter().next().unwrap();
    let mut now = world.now;
    let mut sent = 0;
    for round in 0..50 {
        theirs.poll = round == 25;
        let encoded = theirs.encode();
        session
            .receive(&decode(encoded.octets()).unwrap(), now)
            .unwrap();
        session.handle_timeout(now);
        while session.poll_transmit(now).is_some() {
            sent += 1;
        }
        now += ms(90);
    }
    assert_eq!((sent, session.state()), (1, State::Up));
    theirs.demand = false;
    let encoded = theirs.encode();
    session
        .receive(&decode(encoded.octets()).unwrap(), now)
        .unwrap();
    session.handle_timeout(now + ms(100));
    assert!(session.poll_transmit(now + ms(100)).is_some());
}

#[test]
fn a_far_end_that_wants_no_packets_gets_none() {
    let mut world = World::up(settings(100, 3), settings(100, 3));
    world.run(ms(500));
    let mut theirs = world
        .sent
        .iter()
        .rfind(|(_, from, _)| *from == 1)
        .unwrap()
        .2;
    theirs.required_min_rx_interval = 0;
    let encoded = theirs.encode();
    let now = world.now;
    let session = &mut world.ends[0];
    session
        .receive(&decode(encoded.octets()).unwrap(), now)
        .unwrap();
    while session.poll_transmit(now).is_some() {}
    session.handle_timeout(now + ms(200));
    assert!(session.poll_transmit(now + ms(200)).is_none());
}

#[test]
fn a_late_look_gives_silence_a_second_chance_once() {
    let mut world = World::up(settings(100, 3), settings(100, 3));
    world.run(ms(1_000));
    let session = &mut world.ends[0];
    let now = world.now + ms(400);
    session.handle_timeout(now);
    assert_eq!((session.state(), session.snapshot().late), (State::Up, 1));
    // A timer that is looked at in time is believed.
    session.handle_timeout(now + ms(100));
    assert_eq!(session.state(), State::Down);
}

#[test]
fn a_packet_that_waited_to_be_read_counts_from_when_it_came() {
    let mut world = World::up(settings(100, 3), settings(100, 3));
    world.run(ms(1_000));
    let theirs = world
        .sent
        .iter()
        .rfind(|(_, from, _)| *from == 1)
        .unwrap()
        .2;
    let encoded = theirs.encode();
    let came = world.now;
    let session = &mut world.ends[0];
    session
        .receive(&decode(encoded.octets()).unwrap(), came)
        .unwrap();
    session.handle_timeout(came + ms(299));
    assert_eq!(session.state(), State::Up);
    session.handle_timeout(came + ms(300));
    assert_eq!(session.state(), State::Down);
}
