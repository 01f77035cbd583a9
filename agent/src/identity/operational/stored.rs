//! What is in the folder, read without changing it: for the agent that opens it, and for those who only look.

use std::io::{self, ErrorKind};

use serde_json::Value;

use super::disk::{Disk, UNFINISHED};
use super::key::{hex, public_half};
use super::record::{self, Record};
use super::request::{self, Asked};
use super::slot::{Held, Slot, Unusable};

/// What the name of a file that was put aside has in it.
pub(super) const ASIDE: &str = ".bad-";

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) next: Option<Held>,
    pub(super) current: Option<Held>,
    pub(super) asked: Option<Asked>,
    pub(super) record: Record,
    /// What is damaged or somebody else's, each with a sentence.
    pub(super) useless: Vec<(String, String)>,
    /// What a power cut has left of something that is done or was never begun, in the order in which it is removed.
    pub(super) left_over: Vec<String>,
    /// What can't be read now.
    pub(super) troubles: Vec<String>,
}

impl Stored {
    /// An error says that not even the names can be read.
    pub(super) fn read(disk: &dyn Disk) -> io::Result<Self> {
        let names = match disk.names() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            names => names?,
        };
        let mut stored = Self::default();
        stored.next = stored.slot(disk, Slot::Next);
        stored.current = stored.slot(disk, Slot::Current);
        stored.record = stored.json(disk, record::FILE, Record::of).unwrap_or_default();
        stored.read_request(disk, &names);
        for name in names {
            let known =
                [Slot::Next.file(), Slot::Current.file(), record::FILE, request::FILE, request::KEY_FILE];
            if name.ends_with(UNFINISHED) {
                stored.left_over.push(name);
            } else if !known.contains(&&*name) && !name.contains(ASIDE) {
                let why = format!("{} is no file of this agent", disk.path(&name).display());
                stored.useless.push((name, why));
            }
        }
        Ok(stored)
    }

    fn slot(&mut self, disk: &dyn Disk, slot: Slot) -> Option<Held> {
        match Held::read(disk, slot) {
            Ok(held) => return Some(held),
            Err(Unusable::Absent) => {}
            Err(Unusable::Unreadable(why)) => self.troubles.push(why),
            Err(Unusable::Damaged(why)) => self.useless.push((slot.file().into(), why)),
        }
        None
    }

    fn json<T>(&mut self, disk: &dyn Disk, name: &str, of: fn(&Value) -> Option<T>) -> Option<T> {
        let path = disk.path(name);
        match disk.read(name) {
            Ok(bytes) => match serde_json::from_slice(&bytes).ok().and_then(|value| of(&value)) {
                Some(content) => return Some(content),
                None => self.useless.push((name.into(), format!("{} is damaged", path.display()))),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                self.useless.push((name.into(), format!("{}: {error}", path.display())));
            }
            Err(error) => self.troubles.push(format!("can't read {}: {error}", path.display())),
        }
        None
    }

    fn read_request(&mut self, disk: &dyn Disk, names: &[String]) {
        let troubles = self.troubles.len();
        let Some(asked) = self.json(disk, request::FILE, Asked::of) else {
            // Nobody has asked with such a key yet, unless that can only not be read now.
            if self.troubles.len() == troubles && names.iter().any(|name| name == request::KEY_FILE) {
                self.left_over.push(request::KEY_FILE.into());
            }
            return;
        };
        let slots = [&self.next, &self.current];
        let is_answered =
            slots.into_iter().flatten().any(|held| hex(&held.chain.leaf().public_key) == asked.public_key);
        if is_answered {
            self.left_over.extend([request::FILE, request::KEY_FILE].map(Into::into));
            return;
        }
        if asked.object.is_none() {
            match disk.read(request::KEY_FILE) {
                Ok(pem) if public_half(&pem).is_some_and(|public| hex(&public) == asked.public_key) => {}
                Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => {
                    let path = disk.path(request::KEY_FILE);
                    self.troubles.push(format!("can't read {}: {error}", path.display()));
                    return;
                }
                key => {
                    let why = format!(
                        "{} is not the key of the request beside it",
                        disk.path(request::KEY_FILE).display()
                    );
                    self.useless.push((request::FILE.into(), why.clone()));
                    if key.is_ok() {
                        self.useless.push((request::KEY_FILE.into(), why));
                    }
                    return;
                }
            }
        }
        self.asked = Some(asked);
    }
}
