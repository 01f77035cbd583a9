//! The container tracker agent.
