//! Whether this device can go where DPS sends it, by how the hub there is spoken to.

use std::time::Duration;

use tracker_protocol::dps::{ConnectionProfile, Outcome};

/// DPS is asked again so much later at the soonest where it sends the device to a hub that it can't speak to: somebody has to
/// change that.
const AGAIN: Duration = Duration::from_mins(10);

/// Whether this build speaks to hubs of this kind.
pub fn is_spoken(profile: ConnectionProfile) -> bool {
    profile == ConnectionProfile::Classic || cfg!(feature = "mqtt5")
}

/// The outcome of a registration, with a hub that this device can't speak to told as none. `known` is what was known of a
/// hub before: a hub keeps its kind for life. Where DPS was asked for the kind (`asked`), it is told in the outcome.
pub fn judge(outcome: Outcome, asked: bool, known: Option<&(String, ConnectionProfile)>) -> Outcome {
    let Outcome::Assigned(mut assigned) = outcome else { return outcome };
    let hub = &assigned.hub;
    let later = |why: String| Outcome::TryLater { retry_after: Some(AGAIN), why };
    let profile = match ConnectionProfile::parse(assigned.connection_profile.as_deref()) {
        Ok(profile) => profile,
        Err(error) => {
            return later(format!("it assigned {hub}, which this device can't speak to: {error}"));
        }
    };
    if !is_spoken(profile) {
        return later(format!(
            "it assigned {hub}, which speaks MQTT 5 (connectionProfile {}), and this program was built without the feature \
             mqtt5: install one that has it, or have the device assigned to a hub of the classic kind",
            profile.word()
        ));
    }
    if let Some((before, was)) = known
        && asked
        && before == hub
        && *was != profile
    {
        return later(format!(
            "it says that {hub} is {} (connectionProfile), and said before that it is {}: a hub keeps its profile for life, \
             so that one of the two is a fault of the assignment, and nothing changes; if the hub was made anew, \
             deprovision this device",
            profile.word(),
            was.word()
        ));
    }
    if asked {
        assigned.connection_profile = Some(profile.word().into());
    }
    Outcome::Assigned(assigned)
}

#[cfg(test)]
mod tests {
    use tracker_protocol::dps::Assignment;

    use super::*;

    fn judged(
        word: Option<&str>,
        asked: bool,
        known: Option<(&str, ConnectionProfile)>,
    ) -> Result<Option<String>, String> {
        let assigned = Assignment {
            hub: "h.example".into(),
            device_id: "d".into(),
            substatus: None,
            payload: None,
            issued: None,
            connection_profile: word.map(str::to_owned),
        };
        let known = known.map(|(hub, profile)| (hub.to_owned(), profile));
        match judge(Outcome::Assigned(assigned), asked, known.as_ref()) {
            Outcome::Assigned(assigned) => Ok(assigned.connection_profile),
            Outcome::TryLater { why, retry_after } => {
                assert!(retry_after.is_some());
                Err(why)
            }
            Outcome::Refused(refusal) => panic!("{refusal}"),
        }
    }

    #[test]
    fn a_profile_is_classic_where_nothing_is_said_and_others_are_shown() {
        assert_eq!(judged(None, false, None), Ok(None), "as ever");
        assert_eq!(judged(None, true, None), Ok(Some("classic".into())));
        assert_eq!(judged(Some("Classic"), true, None), Ok(Some("classic".into())));
        let why = judged(Some("mqttV6\n<3>"), true, None).unwrap_err();
        assert_eq!(
            why,
            "it assigned h.example, which this device can't speak to: not a valid connectionProfile: this version knows \
             classic and mqttV5 (in \"mqttV6\\n<3>\")"
        );
    }

    #[test]
    #[cfg(feature = "mqtt5")]
    fn a_hub_that_changes_its_kind_is_a_fault_and_another_hub_may_be_of_another() {
        use ConnectionProfile::{Classic, MqttV5};
        let v5 = Ok(Some("mqttV5".to_owned()));
        assert_eq!(judged(Some("mqttv5"), true, Some(("h.example", MqttV5))), v5);
        assert_eq!(judged(Some("mqttV5"), true, Some(("other.example", Classic))), v5);
        let why = judged(Some("mqttV5"), true, Some(("h.example", Classic))).unwrap_err();
        assert!(
            why.starts_with(
                "it says that h.example is mqttV5 (connectionProfile), and said before that it is classic"
            ),
            "{why}"
        );
        assert!(judged(None, true, Some(("h.example", MqttV5))).is_err());
    }

    #[test]
    #[cfg(not(feature = "mqtt5"))]
    fn a_build_without_mqtt_5_says_how_it_differs() {
        let why = judged(Some("mqttV5"), true, None).unwrap_err();
        assert!(why.contains("this program was built without the feature mqtt5"), "{why}");
    }
}
