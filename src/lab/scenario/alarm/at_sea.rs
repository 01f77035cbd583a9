//! From the quay to the network that fails: alarms and places, and what a person is told of them.

use serde_json::json;

use super::checks::{CONTAINER, CRITICAL, WARNING, after_delay, names_container, time, words};
use super::reefer::{FROM, fences};
use super::stage::{DEVICE, INTERVAL, Measured, PATIENCE, SILENT_AFTER, Stage};
use crate::lab::notification::Notification;
use crate::lab::scenario::story::Story;

/// The alarm of the profile `gouda`.
const ALARM: &str = "temperature";

pub(super) async fn route(story: &mut Story, stage: &Stage) -> anyhow::Result<()> {
    let step = story.step(
        "Lead alarms to those who are to be told: a route to a webhook, an Event Grid subscription, an alarm for silence",
        "the hub takes all of it, and the webhook has proved that it wants the events",
    );
    stage.route().await?;
    let routes = stage.cloud.hub.routing().routes;
    let routes: Vec<_> = routes
        .iter()
        .map(|route| format!("{} → {}", route.condition, route.endpoint_names.join(", ")))
        .collect();
    let validations = stage.receiver.inbox().validations;
    step.saw(validations == 1, &format!("{}; {validations} validation answered", routes.join("; ")));
    Ok(())
}

pub(super) async fn switch_on(story: &mut Story, stage: &mut Stage) -> anyhow::Result<()> {
    let step = story.step(
        &format!("Switch a reefer with Gouda cheese on, at the quay of {FROM}"),
        "it provisions itself and delivers a reading; Event Grid tells that it is connected",
    );
    stage.switch_on()?;
    let first = stage.measures(|_| true).await;
    let subject = format!("devices/{DEVICE}");
    let is_connected = |kind: &str, of: &str| kind == "Microsoft.Devices.DeviceConnected" && of == subject;
    let connected = stage
        .receiver
        .wait(PATIENCE, |inbox| inbox.events.iter().any(|(kind, of)| is_connected(kind, of)).then_some(()))
        .await;
    let seen =
        first.map_or("no reading".into(), |first| format!("{:.2} °C, {}", first.celsius, time(first.time)));
    let told = if connected.is_some() { "DeviceConnected" } else { "nothing" };
    step.saw(first.is_some() && connected.is_some(), &format!("{seen}; Event Grid has told: {told}"));
    Ok(())
}

pub(super) async fn set_up(story: &mut Story, stage: &Stage) -> anyhow::Result<()> {
    let step = story.step(
        "Set in its twin: alarms for Gouda, two places, the container's number, evidence",
        &format!("each is answered with 200; a person is told that {CONTAINER} is in {FROM}"),
    );
    let desired = json!({
        "alarms": {"profile": "gouda"}, "geofences": fences(), "containerNumber": CONTAINER, "evidence": true,
    });
    let names = ["alarms", "geofences", "containerNumber", "evidence"];
    stage.cloud.hub.update_twin_desired(DEVICE, desired)?;
    let answered = stage.reports(|reported| names.iter().all(|name| reported[name]["ac"] == 200)).await;
    let there = stage.notified(|it| it.is_at(FROM, "inside")).await;
    let reported = stage.reported();
    let answers: Vec<_> = names.iter().map(|name| format!("{name} {}", reported[name]["ac"])).collect();
    step.saw(
        answered && there.as_ref().is_some_and(names_container),
        &format!("{}; {}", answers.join(", "), words(there.as_ref())),
    );

    let step = story.step(
        "Begin the trip (direct method startTrip)",
        "the device says by what the trip will be measured: the bounds are those of the alarms",
    );
    let terms = json!({"trip": "Gouda 7", "gapAfter": 14_400});
    let (status, answer) = stage.call("startTrip", terms).await;
    step.saw(
        status == 200 && answer["bounds"]["temperature"]["high"] == WARNING.0,
        &format!("{status}, {answer}"),
    );
    Ok(())
}

pub(super) async fn sail(story: &mut Story, stage: &Stage) {
    let step = story.step("The ship sails", &format!("a person is told that the container has left {FROM}"));
    stage.reefer.sail();
    let left = stage.notified(|it| it.is_at(FROM, "exit")).await;
    step.saw(left.as_ref().is_some_and(names_container), &words(left.as_ref()));
}

pub(super) async fn fail_power(story: &mut Story, stage: &Stage) {
    let step = story.step(
        "At sea the reefer's power fails",
        "the air gets warmer than 7 °C, and nobody is told yet: it might be a defrost; the alarm is pending",
    );
    stage.reefer.fail_power();
    let warm = stage.measures(|it| it.celsius > WARNING.0).await;
    let told = warm.map_or(0, |warm| {
        let alarms = stage.receiver.inbox().notifications;
        // What was told of it, not what may have been told since.
        let is_early = |it: &Notification| it.is(ALARM, "raised") && it.moment("time") <= Some(warm.time);
        alarms.iter().filter(|it| is_early(it)).count()
    });
    let seen = warm
        .map_or("it did not get warm".into(), |warm| format!("{:.2} °C, {}", warm.celsius, time(warm.time)));
    step.saw(warm.is_some() && told == 0, &format!("{seen}; {told} notifications of it"));
}

pub(super) async fn raise(story: &mut Story, stage: &Stage) {
    let step = story.step(
        "Wait for the alarm's delay",
        "after 30 minutes above 7 °C, and not before, a warning is raised, routed, and told to a person; getStatus shows it",
    );
    let told = stage.notified(|it| it.is(ALARM, "raised")).await;
    let shown = stage.active_alarms().await[ALARM]["severity"] == "warning";
    let (in_time, how) = after_delay(&stage.measured_until(told.as_ref()).await, told.as_ref(), WARNING);
    let named = told.as_ref().is_some_and(|it| names_container(it) && it.property("severity") == "warning");
    step.saw(in_time && shown && named, &format!("{how}; told: {}", words(told.as_ref())));
}

pub(super) async fn acknowledge(story: &mut Story, stage: &Stage) {
    let step = story.step(
        "Somebody knows of it now (direct method acknowledgeAlarm)",
        "getStatus shows that, the twin within half a minute; the alarm goes on",
    );
    let (status, answer) = stage.call("acknowledgeAlarm", json!({"alarm": ALARM})).await;
    let shown = stage.active_alarms().await[ALARM]["acknowledged"] == true;
    step.saw(status == 200 && shown, &format!("{status}, {answer}"));
}

pub(super) async fn escalate(story: &mut Story, stage: &Stage) {
    let step = story.step(
        "But nobody does anything",
        "after 60 minutes above 10 °C, and not before, the alarm is critical, and a person is told again",
    );
    let told = stage.notified(|it| it.is(ALARM, "escalated")).await;
    let (in_time, how) = after_delay(&stage.measured_until(told.as_ref()).await, told.as_ref(), CRITICAL);
    let is_critical = told.as_ref().is_some_and(|it| it.property("severity") == "critical");
    step.saw(in_time && is_critical, &format!("{how}; told: {}", words(told.as_ref())));
}

pub(super) async fn restore_power(story: &mut Story, stage: &Stage) {
    let step = story.step(
        "An engineer finds the plug: the power comes back",
        "below 6.7 °C for ten minutes the alarm is over; a person is told how bad it was; nothing is active any more",
    );
    stage.reefer.restore_power();
    let told = stage.notified(|it| it.is(ALARM, "cleared")).await;
    // It is absent where there are none.
    let empty = stage.active_alarms().await[ALARM].is_null();
    let worst = stage.measured_until(told.as_ref()).await;
    let worst = worst.iter().map(|it| it.celsius).fold(f64::MIN, f64::max);
    let is_worst = |it: &Notification| (it.body["extreme"].as_f64().unwrap_or(f64::NAN) - worst).abs() < 0.05;
    let right = told.as_ref().is_some_and(is_worst);
    step.saw(
        right && empty,
        &format!("the warmest reading had {worst:.2} °C; told: {}", words(told.as_ref())),
    );
}

pub(super) async fn fall_silent(story: &mut Story, stage: &Stage) -> anyhow::Result<()> {
    let step = story.step(
        "The ship's network fails",
        &format!(
            "the container can't say so: after {SILENT_AFTER} of its intervals of {INTERVAL} s (of the hub's time) the hub raises \
             the alarm silent"
        ),
    );
    let silent_from = stage.now();
    let fault = stage.fall_silent();
    let told = stage.notified(|it| it.is("silent", "raised")).await;
    step.saw(told.as_ref().is_some_and(names_container), &words(told.as_ref()));

    let step = story.step(
        "The network is back",
        "the container is heard again, which is told; what it has measured meanwhile arrives",
    );
    let silent_to = stage.now();
    stage.speak_again(fault)?;
    let told = stage.notified(|it| it.is("silent", "cleared")).await;
    let is_of_silence = |it: &Measured| silent_from < it.time && it.time < silent_to;
    let caught_up = stage.measures(|it| it.time > silent_to).await.is_some()
        && stage.measures(is_of_silence).await.is_some();
    let late = stage.measured().into_iter().filter(is_of_silence).count();
    step.saw(
        told.is_some() && caught_up,
        &format!("{late} readings of the silence have come so far; told: {}", words(told.as_ref())),
    );
    Ok(())
}
