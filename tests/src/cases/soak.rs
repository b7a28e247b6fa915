//! The links of an edge cut and mended at random, with bgpd killed meanwhile: the
//! short form of `lab/bench soak`.

use lab::bench::scenario::failover::soak;
use lab::bench::speaker::Programs;

use super::Case;
use crate::Bench;

pub(super) fn all() -> Vec<Case> {
    vec![Case::new(
        "links cut and mended at random and bgpd killed meanwhile leave no wrong route behind",
        cut_and_mended,
    )]
}

fn cut_and_mended(bench: &Bench) -> anyhow::Result<()> {
    let programs = Programs {
        bgpd: bench.program("bgpd"),
        bird: "bird".into(),
    };
    let rounds = if bench.thorough { 300 } else { 15 };
    soak::run(&programs, &format!("{}-soak", bench.number), rounds, SEED)?;
    Ok(())
}

const SEED: u64 = 7;
