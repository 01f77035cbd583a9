//! The certificates of a fleet: issued by Azure, short-lived, and renewed at the hub while links flap. Certificates live by the
//! calendar, so this story is told in real time.

mod link;
mod stage;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Instant, sleep, sleep_until};

use super::fleet::View;
use super::story::Story;
use crate::lab::screen::Screen;
use crate::platform::clock::system_time;
use stage::{HUB, POLICY, Stage};

/// How long it all takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// The life of a certificate.
    pub(crate) validity: Duration,
    /// How long the links flap.
    pub(crate) flapping: Duration,
}

impl Terms {
    /// How often each container has to renew in that time: once for every life of a certificate.
    fn renewals(&self) -> u32 {
        let lives = self.flapping.as_secs() / self.validity.as_secs().max(1);
        u32::try_from(lives).unwrap_or(u32::MAX).max(1)
    }
}

/// What is over is looked at a moment later: certificates end with whole seconds.
const MOMENT: TimeDelta = TimeDelta::seconds(1);

pub(super) async fn play(
    devices: usize,
    terms: Terms,
    directory: &std::path::Path,
    screen: Screen,
) -> anyhow::Result<()> {
    let mut stage = Stage::new(directory, devices, terms.validity).await?;
    let mut story = Story::new(screen);
    issuer(&mut story, &stage)?;
    switch_on(&mut story, &mut stage).await?;
    flap(&mut story, &stage, terms).await;
    calm(&mut story, &stage).await;
    under_deck(&mut story, &stage).await;
    nothing_lost(&mut story, stage).await?;
    story.verdict()
}

fn issuer(story: &mut Story, stage: &Stage) -> anyhow::Result<()> {
    let step = story.step(
        &format!(
            "Enroll {} containers with a policy by which certificates live {}",
            stage.ids.len(),
            told(stage.validity)
        ),
        "there is a CA that issues them, and the enrollment group names its policy",
    );
    let policy = stage.emulator.namespace().policy(POLICY)?;
    let named = stage.enroll()?;
    let text = format!(
        "the CA {} issues by the policy {}, for {} s",
        policy.authority,
        policy.name,
        policy.validity.as_secs()
    );
    step.saw(named.as_deref() == Some(POLICY) && policy.validity == stage.validity, &text);
    Ok(())
}

async fn switch_on(story: &mut Story, stage: &mut Stage) -> anyhow::Result<()> {
    let step = story.step(
        "Switch them on, each with its onboarding certificate alone",
        "each makes a key, has DPS issue a certificate for it, is let in with that by the hub, and delivers",
    );
    stage.switch_on()?;
    let all = stage.all(|view| view.issued > 0 && view.online_at.is_some() && view.delivered > 0).await;
    let known = stage.known_by_authority();
    let text = format!(
        "{} online at {HUB} with certificates that were issued; the hub knows {known} of them by who has signed",
        stage.count(|view| view.issued > 0 && view.online_at.is_some())
    );
    step.saw(all && known == stage.ids.len(), &text);
    Ok(())
}

async fn flap(story: &mut Story, stage: &Stage, terms: Terms) {
    let least = terms.renewals();
    let step = story.step(
        &format!("Cut each container's link again and again, for {}", told(terms.flapping)),
        &format!("each renews its certificate at least {least} times meanwhile, and none is locked out"),
    );
    let before = stage.views();
    let cuts = stage.flap(Instant::now() + terms.flapping).await;
    let after = stage.views();
    let more = |of: fn(&View) -> u32| -> Vec<u32> {
        before.iter().zip(&after).map(|(before, after)| of(after).saturating_sub(of(before))).collect()
    };
    let (renewed, by_dps) = (more(|view| view.issued), more(|view| view.assigned));
    let (fewest, most) = (renewed.iter().min().copied(), renewed.iter().max().copied());
    let (all, by_dps) = (renewed.iter().sum::<u32>(), by_dps.iter().sum::<u32>());
    let text = format!(
        "{} to {} renewals each, {all} in all, {by_dps} of them by way of DPS; the links were cut {cuts} times",
        fewest.unwrap_or_default(),
        most.unwrap_or_default()
    );
    step.saw(fewest >= Some(least) && cuts > 0, &text);
}

async fn calm(story: &mut Story, stage: &Stage) {
    let step = story.step(
        "Leave the links alone",
        "every container is online, with a certificate that is good, and delivers",
    );
    let before = stage.views();
    let delivered: Vec<u64> = before.iter().map(|view| view.delivered).collect();
    let all = stage.all_delivering(&delivered).await;
    step.saw(all && stage.refused().is_empty(), &whereabouts(stage));
}

async fn under_deck(story: &mut Story, stage: &Stage) {
    let step = story.step(
        "Cut all links until every certificate has ended",
        "with the links each comes back by way of DPS, with its onboarding certificate, and has a new one",
    );
    stage.set_links(false);
    let before = stage.views();
    if let Some(end) = before.iter().filter_map(|view| view.until).max() {
        sleep_until(Instant::now() + until(end + MOMENT)).await;
    }
    // One that was renewed in the last moment ends later.
    while let Some(end) =
        stage.views().iter().filter_map(|view| view.until).max().filter(|end| *end >= system_time())
    {
        sleep(until(end + MOMENT)).await;
    }
    stage.set_links(true);
    let assigned: Vec<u32> = before.iter().map(|view| view.assigned).collect();
    let delivered: Vec<u64> = before.iter().map(|view| view.delivered).collect();
    let all = stage.all_delivering(&delivered).await;
    let by_dps =
        stage.views().iter().zip(assigned).filter(|(after, before)| after.assigned > *before).count();
    let text = format!("{by_dps} of {} were assigned anew; {}", stage.ids.len(), whereabouts(stage));
    step.saw(all && by_dps == stage.ids.len() && stage.refused().is_empty(), &text);
}

async fn nothing_lost(story: &mut Story, stage: Stage) -> anyhow::Result<()> {
    let step = story.step("Switch everything off", "every reading that was taken is at the hub, or kept");
    let (totals, arrived) = stage.stop().await?;
    let whole = totals.taken <= totals.acknowledged + totals.backlog
        && totals.acknowledged <= arrived
        && totals.dropped == 0;
    let text = format!(
        "{} taken, {} acknowledged, {} kept; {arrived} different ones at the hub",
        totals.taken, totals.acknowledged, totals.backlog
    );
    step.saw(whole, &text);
    Ok(())
}

/// Who is where, and who is not.
fn whereabouts(stage: &Stage) -> String {
    let now = system_time();
    let good = stage.count(|view| view.online_at.is_some() && view.until.is_some_and(|until| until > now));
    let mut text = format!("{good} of {} online with a good certificate", stage.ids.len());
    if let Some((id, why)) = stage.refused().first() {
        text += &format!("; {id} is refused: {why}");
    }
    text
}

fn until(at: DateTime<Utc>) -> Duration {
    (at - system_time()).to_std().unwrap_or_default()
}

fn told(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds >= 120 && seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_is_asked_for_in_every_life() {
        let terms = |validity, flapping| Terms {
            validity: Duration::from_secs(validity),
            flapping: Duration::from_secs(flapping),
        };
        assert_eq!(terms(15, 50).renewals(), 3);
        assert_eq!(terms(120, 600).renewals(), 5);
        assert_eq!(terms(90, 10).renewals(), 1);
        assert_eq!([told(Duration::from_secs(50)), told(Duration::from_mins(10))], ["50 s", "10 minutes"]);
    }
}
