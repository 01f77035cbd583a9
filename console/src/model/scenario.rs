//! A story that is played step by step, as it is watched and steered.

use serde::{Deserialize, Serialize};

/// Of `GET /api/scenario`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ScenarioState {
    /// Null where none is played.
    pub scenario: Option<Scenario>,
}

/// A story, as far as it has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Scenario {
    /// What it is about.
    pub title: String,
    /// Those that were announced, in their order.
    pub steps: Vec<ScenarioStep>,
    /// Whether each step waits until somebody goes on.
    pub is_stepping: bool,
    /// Whether the last of them waits now.
    pub is_waiting: bool,
    /// How it all went, in a sentence, once it is over.
    pub verdict: Option<String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ScenarioStep {
    /// From 1.
    pub number: u32,
    /// What is done.
    pub title: String,
    /// What must come of it.
    pub expected: String,
    /// What came of it; null while it is under way.
    pub seen: Option<String>,
    /// Whether that is what was expected.
    pub is_as_expected: Option<bool>,
    /// How long it took.
    pub seconds: Option<f64>,
}

/// Steers a story. What is absent stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScenarioWish {
    /// From now on each step waits, or none does.
    pub is_stepping: Option<bool>,
    /// The step that waits may be done.
    #[serde(default)]
    pub is_next: bool,
}
