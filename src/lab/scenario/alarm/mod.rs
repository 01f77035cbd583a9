//! A reefer's power fails at sea: the alarm after its delay, the notification that a person gets, silence, and the evidence of
//! the trip. All of it is what runs elsewhere: the agent above emulated chips, a hub that routes, a webhook, `verify`.

mod at_sea;
mod checks;
mod evidence;
mod reefer;
mod stage;

use self::stage::Stage;
use super::story::Story;
use crate::lab::screen::Screen;

pub(super) async fn play(screen: Screen) -> anyhow::Result<()> {
    let mut stage = Stage::set(screen).await?;
    let mut story = Story::new(screen);
    at_sea::route(&mut story, &stage).await?;
    at_sea::switch_on(&mut story, &mut stage).await?;
    at_sea::set_up(&mut story, &stage).await?;
    at_sea::sail(&mut story, &stage).await;
    at_sea::fail_power(&mut story, &stage).await;
    at_sea::raise(&mut story, &stage).await;
    at_sea::acknowledge(&mut story, &stage).await;
    at_sea::escalate(&mut story, &stage).await;
    at_sea::restore_power(&mut story, &stage).await;
    at_sea::fall_silent(&mut story, &stage).await?;
    evidence::arrive(&mut story, &stage).await;
    evidence::verify(&mut story, &stage).await?;
    evidence::switch_off(&mut story, stage).await?;
    story.verdict()
}
