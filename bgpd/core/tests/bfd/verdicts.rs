//! What BGP and the fast path hear of it.

use std::time::{Duration, Instant};

use bgp_core::bfd::{Change, Damping, Diagnostic, Judge, State, Verdict};

const DAMPING: Damping = Damping {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(60),
};

fn change(from: State, to: State, remote: State) -> Change {
    Change {
        from,
        to,
        diagnostic: Diagnostic::DETECTION_TIME_EXPIRED,
        remote_state: remote,
        remote_diagnostic: Diagnostic::NONE,
    }
}

fn up() -> Change {
    change(State::Init, State::Up, State::Up)
}

fn down() -> Change {
    change(State::Up, State::Down, State::Down)
}

#[test]
fn a_session_that_never_was_up_says_nothing() {
    let mut judge = Judge::new(DAMPING);
    let now = Instant::now();
    assert_eq!(judge.verdict(), &Verdict::Unknown);
    assert!(!judge.hear(&change(State::Down, State::Init, State::Down), now));
    assert!(!judge.hear(&change(State::Init, State::Down, State::Down), now));
    assert_eq!((judge.verdict(), judge.flaps()), (&Verdict::Unknown, 0));
}

#[test]
fn administrative_down_of_either_end_is_no_failure() {
    let now = Instant::now();
    for wish in [
        change(State::Up, State::Down, State::AdminDown),
        change(State::Up, State::AdminDown, State::Up),
    ] {
        let mut judge = Judge::new(DAMPING);
        assert!(judge.hear(&up(), now));
        assert!(judge.hear(&wish, now));
        assert_eq!((judge.verdict(), judge.flaps()), (&Verdict::AdminDown, 0));
    }
}

#[test]
fn a_far_end_that_begins_anew_is_no_failure() {
    let now = Instant::now();
    for (theirs, is_failure) in [
        (Diagnostic::NONE, false),
        (Diagnostic::NEIGHBOR_SIGNALED_DOWN, false),
        (Diagnostic::DETECTION_TIME_EXPIRED, true),
        (Diagnostic::PATH_DOWN, true),
        (Diagnostic::FORWARDING_PLANE_RESET, true),
    ] {
        let mut judge = Judge::new(DAMPING);
        judge.hear(&up(), now);
        let told = Change {
            diagnostic: Diagnostic::NEIGHBOR_SIGNALED_DOWN,
            remote_diagnostic: theirs,
            ..down()
        };
        judge.hear(&told, now);
        let down = matches!(judge.verdict(), Verdict::Down(_));
        assert_eq!(down, is_failure, "{theirs}");
        assert_eq!(judge.flaps(), u64::from(is_failure));
    }
}

#[test]
fn one_way_loss_is_named() {
    let now = Instant::now();
    let mut judge = Judge::new(DAMPING);
    judge.hear(&up(), now);
    let told = Change {
        diagnostic: Diagnostic::NEIGHBOR_SIGNALED_DOWN,
        remote_diagnostic: Diagnostic::DETECTION_TIME_EXPIRED,
        ..down()
    };
    judge.hear(&told, now);
    let Verdict::Down(reason) = judge.verdict() else {
        panic!("{:?}", judge.verdict())
    };
    assert!(reason.contains("doesn't hear us"), "{reason}");
}

#[test]
fn a_session_that_flaps_is_believed_later_each_time() {
    let mut judge = Judge::new(DAMPING);
    let mut now = Instant::now();
    judge.hear(&up(), now);
    let mut waits = Vec::new();
    for _ in 0..9 {
        now += Duration::from_secs(1);
        judge.hear(&down(), now);
        assert!(matches!(judge.verdict(), Verdict::Down(_)));
        now += Duration::from_secs(1);
        if judge.hear(&up(), now) {
            waits.push(0);
            continue;
        }
        let wait = judge.damped_for(now).unwrap();
        waits.push(wait.as_secs());
        assert!(!judge.handle_timeout(now + wait - Duration::from_millis(1)));
        now += wait;
        assert_eq!(judge.next_timeout(), Some(now));
        assert!(judge.handle_timeout(now) && judge.verdict() == &Verdict::Up);
    }
    assert_eq!(waits, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
}

#[test]
fn failures_are_forgiven_with_time() {
    let mut judge = Judge::new(DAMPING);
    let mut now = Instant::now();
    judge.hear(&up(), now);
    for _ in 0..3 {
        judge.hear(&down(), now);
        judge.hear(&up(), now);
    }
    judge.hear(&down(), now);
    now += Duration::from_secs(180);
    assert!(judge.hear(&up(), now), "three of four are forgotten");
}

#[test]
fn without_damping_every_up_is_believed() {
    let mut judge = Judge::new(Damping {
        first: Duration::ZERO,
        ..DAMPING
    });
    let now = Instant::now();
    for _ in 0..20 {
        assert!(judge.hear(&up(), now) && judge.hear(&down(), now));
    }
    assert_eq!(judge.flaps(), 20);
}
