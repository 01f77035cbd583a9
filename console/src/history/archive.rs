//! A history that is only read, also while a console writes to it: by other programs, for exports.
//!
//! What is seen is what the console has written, which is all but the last ten seconds. A segment is read at a time, and nothing is
//! held in between: the log does not grow behind a slow reader.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use thiserror::Error;

use super::export::Exported;
use super::gather::{self, Known};
use super::schema::{APPLICATION_ID, VERSION};
use super::store::bit;
use super::told;
use crate::model::StoryEntry;
use crate::telemetry::Field;

/// Entries of the story that are read at a time.
const PAGE: usize = 1000;

/// Why an archive has no answer.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// There is no such file.
    #[error("there is no history {0}; `container-tracker console --history DIRECTORY` keeps one")]
    Missing(PathBuf),
    /// It is something else.
    #[error("{0} is no history of a console: {1}")]
    NoHistory(PathBuf, String),
    /// Somebody has it alone.
    #[error(
        "the history {0} is held by a console of an older version, which lets nobody read beside it; end that, or start it anew"
    )]
    Held(PathBuf),
    /// It can't be read.
    #[error("the history {0} can't be read: {1}")]
    Disk(PathBuf, rusqlite::Error),
}

/// What there is of a device.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its ID.
    pub device: String,
    known: Known,
}

impl Kept {
    /// Whether there is anything in the field of this number, see [`Exported::fields`].
    pub fn has(&self, field: usize) -> bool {
        Field::ALL.get(field).is_some_and(|field| self.known.fields & bit(*field) != 0)
    }

    /// Single readings before are gone: the console keeps its bounds.
    pub fn since(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.known.raw_since).filter(|_| self.known.raw_since > 0)
    }

    /// Time of the last reading.
    pub fn last(&self) -> Option<DateTime<Utc>> {
        self.known.last.and_then(DateTime::from_timestamp_millis)
    }
}

/// A history that is only read.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    connection: Connection,
}

impl Archive {
    /// Opens it. Nothing is written, and no console is kept from its work.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        if !path.is_file() {
            return Err(ArchiveError::Missing(path.to_owned()));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags);
        let connection = connection.map_err(|error| ArchiveError::Disk(path.to_owned(), error))?;
        let archive = Self { path: path.to_owned(), connection };
        archive.check().map(|()| archive)
    }

    fn check(&self) -> Result<(), ArchiveError> {
        let pragma = |name: &str| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let prepared = self.connection.busy_timeout(Duration::from_secs(2));
        prepared.map_err(|error| self.failed(error))?;
        self.connection.set_prepared_statement_cache_capacity(8);
        let application = pragma("application_id").map_err(|error| self.failed(error))?;
        let version = pragma("user_version").map_err(|error| self.failed(error))?;
        let no_history = |why: &str| Err(ArchiveError::NoHistory(self.path.clone(), why.to_owned()));
        match (application, version) {
            (APPLICATION_ID, VERSION) => Ok(()),
            (APPLICATION_ID, _) => no_history("it is of another version than this program knows"),
            _ => no_history("it is another program's database"),
        }
    }

    fn failed(&self, error: rusqlite::Error) -> ArchiveError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                ArchiveError::Held(self.path.clone())
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                ArchiveError::NoHistory(self.path.clone(), error.to_string())
            }
            _ => ArchiveError::Disk(self.path.clone(), error),
        }
    }

    /// All devices, in the order of their IDs.
    pub fn devices(&self) -> Result<Vec<Kept>, ArchiveError> {
        let all = gather::all(&self.connection).map_err(|error| self.failed(error))?;
        Ok(all.into_iter().map(|(device, known)| Kept { device, known }).collect())
    }

    /// What happened to a device, or to all, from this time on: the oldest first, the newest `most` of it.
    pub fn story(
        &self,
        device: Option<&str>,
        from: DateTime<Utc>,
        most: usize,
    ) -> Result<Vec<StoryEntry>, ArchiveError> {
        let read = || -> rusqlite::Result<Vec<StoryEntry>> {
            let known = match device {
                Some(name) => match gather::known(&self.connection, name)? {
                    Some(known) => Some(known.device),
                    None => return Ok(Vec::new()),
                },
                None => None,
            };
            let (mut entries, mut before) = (Vec::new(), None);
            while entries.len() < most {
                let page = told::story(&self.connection, known, before, PAGE.min(most - entries.len()))?;
                let is_over = page.entries.last().is_none_or(|last| last.time < from);
                entries.extend(page.entries.into_iter().take_while(|entry| entry.time >= from));
                before = page.next;
                if before.is_none() || is_over {
                    break;
                }
            }
            entries.reverse();
            Ok(entries)
        };
        read().map_err(|error| self.failed(error))
    }

    /// The readings of a device of `from <= time < to`, in the order of their times, some at a time.
    pub fn readings(&self, kept: &Kept, from: DateTime<Utc>, to: DateTime<Utc>) -> Pieces<'_> {
        let (from, to) = (from.timestamp_millis(), to.timestamp_millis());
        Pieces { archive: self, known: kept.known.clone(), from, to, begin: None }
    }
}

/// Readings, a segment at a time.
#[derive(Debug)]
pub struct Pieces<'a> {
    archive: &'a Archive,
    known: Known,
    from: i64,
    to: i64,
    begin: Option<i64>,
}

impl Pieces<'_> {
    fn read(&mut self) -> rusqlite::Result<Option<Vec<Exported>>> {
        let connection = &self.archive.connection;
        let begin = match self.begin {
            Some(begin) => begin,
            None => gather::begin_of_segment_at(connection, self.known.device, self.from)?,
        };
        let Some((next, readings)) = gather::segment_after(connection, self.known.device, begin)? else {
            return Ok(None);
        };
        self.begin = Some(next);
        let is_over = readings.first().is_some_and(|reading| reading.time >= self.to);
        let is_wanted = self.from..self.to;
        let mut readings = readings;
        readings.retain(|reading| is_wanted.contains(&reading.time));
        Ok((!is_over).then(|| readings.into_iter().map(Exported).collect()))
    }
}

impl Iterator for Pieces<'_> {
    type Item = Result<Vec<Exported>, ArchiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().map_err(|error| self.archive.failed(error)).transpose()
    }
}
