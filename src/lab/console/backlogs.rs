//! What waits in the journals of simulated trackers. A hub learns that hourly, and through no black hole at all.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::supervision::Window;

/// Windows into the journals, by device. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Backlogs(Arc<Mutex<BTreeMap<String, Window>>>);

impl Backlogs {
    /// A window for the tracker of this device.
    pub(crate) fn window(&self, device: &str) -> Window {
        let window = Window::default();
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.insert(device.to_owned(), window.clone());
        window
    }

    /// Those that are not as they were told.
    pub(super) fn news(&self, told: &mut HashMap<String, u64>) -> Vec<(String, u64)> {
        let windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut news = Vec::new();
        for (device, window) in &*windows {
            if let Some(backlog) = window.backlog()
                && told.get(device) != Some(&backlog)
            {
                told.insert(device.clone(), backlog);
                news.push((device.clone(), backlog));
            }
        }
        news
    }
}
