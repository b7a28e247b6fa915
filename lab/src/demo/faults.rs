//! What is worse than a cut: a fibre that says nothing, one that loses packets;
//! and a path that is taken out of use on purpose.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context;
use bgp_core::api::Health;

use super::PATIENCE;
use super::flight::{BACKUP, Flight, VIF};
use super::measured::{BY_BFD, Way, expect_end, expect_move, say_move, start_flow, traffic};
use super::narrator::{Narrator, milliseconds};
use crate::wait::{self, ensure};

impl Flight {
    /// A flight is short: a path that has failed is trusted again soon. And AWS has no
    /// second session here that it could prefer to a bad one: it has to lose this one's
    /// routes.
    pub(super) fn hold_for_a_moment(&self) -> anyhow::Result<()> {
        let file = self.edge.config();
        let text = fs::read_to_string(&file).context("reading bgpd's configuration")?;
        let text = text.replacen(
            "[[vif]]\n",
            "[[vif]]\nhold = \"500ms\"\nhold_max = \"1s\"\non_degraded = \"withdraw\"\n",
            1,
        );
        fs::write(&file, text).context("writing bgpd's configuration")
    }

    pub(super) fn expect_bfd(&self, narrator: &Narrator) -> anyhow::Result<()> {
        let bfd = wait::until("BFD with AWS's router is Up", PATIENCE, || {
            match self.edge.peer(VIF)?.bfd {
                Some(bfd) if bfd.state == "Up" => Ok(bfd),
                other => Err(format!("{other:?}")),
            }
        })?;
        narrator.observed(&format!(
            "BFD is Up: a packet each {} ms, down after {} ms of silence",
            bfd.transmit_interval / 1000,
            bfd.detection_time / 1000
        ));
        Ok(())
    }

    pub(super) fn silence(&self, narrator: &mut Narrator) -> anyhow::Result<()> {
        narrator.step("The fibre goes silent: both ends keep their carrier, nothing passes");
        let flow = start_flow(&self.world)?;
        wait::pause(Duration::from_secs(1))?;
        self.world.lose(100)?;
        let reason = wait::until("bgpd takes the path for down", PATIENCE, || {
            let path = self.edge.path(VIF)?;
            match path.reason {
                Some(reason) if !path.up => Ok(reason),
                _ => Err("it is up".to_owned()),
            }
        })?;
        wait::pause(Duration::from_secs(2))?;
        let outcome = flow.stop();
        expect_move(&outcome, Way::Internet, BY_BFD)?;
        narrator.observed(&format!("bgpd on path {VIF}: {reason}"));
        say_move(narrator, &outcome, Way::Internet);
        self.world.lose(0)?;
        self.expect_return(narrator)
    }

    pub(super) fn loss(&self, narrator: &mut Narrator) -> anyhow::Result<()> {
        narrator.step("The fibre loses a fifth of all packets");
        self.world.lose(20)?;
        let begun = Instant::now();
        let health = wait::until("the path is Degraded", PATIENCE, || {
            let health = self.edge.path(VIF)?.health;
            match health.state {
                // So much loss may cost BFD three packets in a row, too.
                Health::Degraded | Health::Down => Ok(health),
                other => Err(format!("{other:?}")),
            }
        })?;
        narrator.observed(&format!(
            "bgpd on path {VIF} after {}: {}",
            milliseconds(begun.elapsed()),
            health.reason.unwrap_or_default()
        ));
        self.expect_way(Way::Internet)?;
        narrator.observed("traffic to the VPC takes the internet path, and so does AWS's");
        self.world.lose(0)?;
        self.expect_return(narrator)
    }

    pub(super) fn drain(&self, narrator: &mut Narrator) -> anyhow::Result<()> {
        narrator.step("The path is drained for maintenance, and taken back");
        for (verb, way) in [("drain", Way::Internet), ("undrain", Way::DirectConnect)] {
            let flow = start_flow(&self.world)?;
            wait::pause(Duration::from_millis(500))?;
            self.say_dxctl(narrator, &[verb, VIF])?;
            wait::pause(Duration::from_secs(1))?;
            let outcome = flow.stop();
            say_move(narrator, &outcome, way);
            // AWS is told, too; but the way that it has besides is no BGP session.
            ensure(
                outcome.forth.last_ttl == Some(way.ttl()),
                format!("{verb} moves the traffic to the VPC"),
                format!("{:?}", outcome.forth),
            )?;
            let lost = outcome.forth.lost + outcome.back.lost;
            ensure(
                lost == 0,
                format!("{verb} loses no packet"),
                format!("{lost} lost"),
            )?;
        }
        narrator.observed("neither lost a packet");
        self.say_dxctl(narrator, &["events", "--kind", "swap"])?;
        Ok(())
    }

    /// Once its hold time is over, traffic is back in both directions.
    fn expect_return(&self, narrator: &Narrator) -> anyhow::Result<()> {
        let mended = Instant::now();
        for session in [VIF.to_owned(), format!("{VIF}-v6")] {
            wait::until(
                &format!("session {session} is Established"),
                PATIENCE,
                || self.edge.established(&session),
            )?;
        }
        self.expect_carrying(VIF)?;
        self.expect_way(Way::DirectConnect)?;
        narrator.observed(&format!(
            "mended, held, and back from {BACKUP} after {}",
            milliseconds(mended.elapsed())
        ));
        Ok(())
    }

    fn expect_way(&self, way: Way) -> anyhow::Result<()> {
        wait::until("both directions take it", PATIENCE, || {
            let outcome = traffic(&self.world, Duration::from_millis(200));
            let outcome = outcome.map_err(|error| format!("{error:#}"))?;
            expect_end(&outcome, way).map_err(|unmet| unmet.to_string())
        })
    }
}
