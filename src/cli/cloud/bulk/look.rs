//! What is there, before anything is done: which hub has a device, and whether it is already as it is to be.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};

use super::members::Wanted;
use super::selection::Selection;
use crate::cli::cloud::service::client::{Call, Client};
use crate::cli::cloud::target::{Hub, Target};

/// IDs in one query.
const IN_A_QUERY: usize = 50;

/// Above so many IDs reading all devices of a hub costs less.
const MOST_BY_ID: usize = 2000;

/// What was found.
pub(in crate::cli::cloud) struct Looked {
    pub hubs: Vec<Hub>,
    pub devices: Vec<Seen>,
    /// How the selection reads to people.
    pub of: String,
    pub by_condition: bool,
}

/// A device that was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli::cloud) struct Seen {
    pub id: String,
    pub at: At,
    /// Whether it is already as it is to be.
    pub is_so: bool,
}

/// Which hub has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli::cloud) enum At {
    /// The one with this index.
    Hub(usize),
    Nowhere,
    /// More than one, by their names.
    Several(String),
}

/// Looks at all hubs at the same time.
pub(in crate::cli::cloud) fn look(
    target: &Target,
    selection: Selection,
    wanted: &Wanted<'_>,
) -> anyhow::Result<Looked> {
    let hubs: Vec<Hub> = target.hubs()?.into_iter().map(Hub::patient).collect();
    let of = hubs.iter().map(|hub| hub.label.as_str()).collect::<Vec<_>>().join(", ");
    let (devices, by_condition) = match selection {
        Selection::Where(condition) => {
            let query = format!("{} FROM devices WHERE {condition}", wanted.select());
            let found = of_each(&hubs, |hub| {
                let mut seen = Vec::new();
                ask(&hub.client, &query, |id, row| seen.push((id, wanted.is_so(row)))).context("--where")?;
                Ok(seen)
            })?;
            let seen = |(hub, devices): (usize, Vec<(String, bool)>)| {
                devices.into_iter().map(move |(id, is_so)| Seen { id, at: At::Hub(hub), is_so })
            };
            (found.into_iter().enumerate().flat_map(seen).collect(), true)
        }
        Selection::Ids(ids) => (by_id(&hubs, ids, wanted)?, false),
    };
    Ok(Looked { hubs, devices, of, by_condition })
}

/// The IDs that are meant, whether there are such devices or not; a condition is put to the hubs.
pub(in crate::cli::cloud) fn wanted_of(
    target: &Target,
    selection: Selection,
) -> anyhow::Result<(Vec<String>, Option<Looked>)> {
    match selection {
        Selection::Ids(ids) => Ok((ids, None)),
        Selection::Where(_) => {
            let looked = look(target, selection, &Wanted::unseen())?;
            Ok((looked.devices.iter().map(|seen| seen.id.clone()).collect(), Some(looked)))
        }
    }
}

fn by_id(hubs: &[Hub], ids: Vec<String>, judge: &Wanted<'_>) -> anyhow::Result<Vec<Seen>> {
    let wanted: HashSet<&str> = ids.iter().map(String::as_str).collect();
    // An apostrophe would have to be written so that a query takes it.
    let by_query = ids.len() <= MOST_BY_ID && !ids.iter().any(|id| id.contains('\''));
    let select = judge.select();
    let found = of_each(hubs, |hub| {
        let mut seen: HashMap<String, bool> = HashMap::new();
        let mut take = |id: String, row: &Value| {
            if wanted.contains(id.as_str()) {
                seen.insert(id, judge.is_so(row));
            }
        };
        if !by_query {
            ask(&hub.client, &format!("{select} FROM devices"), take)?;
            return Ok(seen);
        }
        for some in ids.chunks(IN_A_QUERY) {
            let list = some.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", ");
            ask(&hub.client, &format!("{select} FROM devices WHERE deviceId IN [{list}]"), &mut take)?;
        }
        Ok(seen)
    })?;
    let place = |id: String| {
        let having: Vec<usize> =
            found.iter().enumerate().filter(|(_, seen)| seen.contains_key(&id)).map(|(hub, _)| hub).collect();
        let names = |having: &[usize]| {
            let labels: Vec<_> =
                having.iter().filter_map(|hub| hubs.get(*hub)).map(|hub| hub.label.as_str()).collect();
            labels.join(" and ")
        };
        match having[..] {
            [] => Seen { id, at: At::Nowhere, is_so: false },
            [hub] => {
                let is_so = found.get(hub).and_then(|seen| seen.get(&id)).copied().unwrap_or(false);
                Seen { id, at: At::Hub(hub), is_so }
            }
            _ => Seen { at: At::Several(names(&having)), id, is_so: false },
        }
    };
    Ok(ids.into_iter().map(place).collect())
}

fn ask(hub: &Client, query: &str, mut take: impl FnMut(String, &Value)) -> anyhow::Result<()> {
    let mut is_odd = false;
    hub.pages(&Call::post(&["devices", "query"]).json(&json!({"query": query})), |page| {
        for row in &page {
            match row["deviceId"].as_str() {
                Some(id) => take(id.to_owned(), row),
                None => is_odd = true,
            }
        }
        !is_odd
    })?;
    if is_odd {
        bail!("the answer has rows that are no devices: give a condition alone, without GROUP BY");
    }
    Ok(())
}

/// Does something with each hub, at the same time.
pub(in crate::cli::cloud) fn of_each<T: Send>(
    hubs: &[Hub],
    work: impl Fn(&Hub) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = hubs.iter().map(|hub| scope.spawn(move || work(hub))).collect();
        let ended =
            threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a thread has failed"))?);
        ended.collect()
    })
}
