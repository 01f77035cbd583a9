//! The file as it is for who works with it: there, failing and then tried again after a while, or set aside.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::lock::{Lock, Refusal};
use super::options::HistoryOptions;
use super::retention;
use super::schema::{OpenError, is_damage, prepare};
use super::store::{self, Devices};
use super::waiting::{Batch, Told};

/// A disk that failed is tried again so often.
const RETRY: Duration = Duration::from_secs(30);

/// The file, or what stands for it.
pub(super) struct Shelf {
    options: HistoryOptions,
    connection: Connection,
    lock: Option<Lock>,
    devices: Devices,
    /// What is wrong, while something is.
    pub(super) trouble: Option<String>,
    failed: Option<Instant>,
    tidied: Option<Instant>,
    /// What nobody was told of yet.
    pub(super) notices: Vec<String>,
}

impl Shelf {
    /// Opens it; in memory where there is no file, or none that can be had.
    pub(super) fn open(options: HistoryOptions) -> Self {
        let mut notices = Vec::new();
        let found = options.file.clone().and_then(|file| {
            match open_file(&file, options.is_temporary, &mut notices) {
                Ok(opened) => Some(opened),
                Err(why) => {
                    notices.push(format!("{why}; what this console sees is kept in memory and goes with it"));
                    None
                }
            }
        });
        let (connection, lock, options) = match found {
            Some((connection, lock)) => (connection, Some(lock), options),
            None if options.file.is_none() => (in_memory(), None, options),
            None => (in_memory(), None, HistoryOptions::in_memory()),
        };
        let devices = Devices::new();
        Self { options, connection, lock, devices, trouble: None, failed: None, tidied: None, notices }
    }

    /// A disk that failed is not tried with every reading.
    pub(super) fn may_try(&self, now: Instant) -> bool {
        self.failed.is_none_or(|failed| now >= failed + RETRY)
    }

    /// Whether it outlives the process.
    pub(super) fn is_kept(&self) -> bool {
        self.options.file.is_some() && !self.options.is_temporary
    }

    /// Writes a batch in one transaction; gives it back where that fails.
    pub(super) fn write(&mut self, batch: Batch, states: &[(String, String)]) -> Result<(), Batch> {
        if batch.readings.is_empty() && batch.told.is_empty() && states.is_empty() {
            return Ok(());
        }
        match self.try_write(&batch, states) {
            Ok(()) => Ok(()),
            Err(error) => {
                // Numbers of devices may have been given that are not there now.
                self.devices.clear();
                self.fail(&error);
                Err(batch)
            }
        }
    }

    fn try_write(&mut self, batch: &Batch, states: &[(String, String)]) -> rusqlite::Result<()> {
        let Self { connection, devices, .. } = self;
        let transaction = connection.transaction()?;
        for (device, readings) in &batch.readings {
            let device = store::device(&transaction, devices, device)?;
            store::insert(&transaction, device, readings)?;
        }
        for told in &batch.told {
            match told {
                Told::Entry(entry) => {
                    // What concerns nobody has no device.
                    let device = match entry.device.as_str() {
                        "" => super::key::Device(0),
                        name => store::device(&transaction, devices, name)?,
                    };
                    store::tell(&transaction, device, entry)?;
                }
                Told::Alarm(device, alarm) => {
                    let device = store::device(&transaction, devices, device)?;
                    store::keep_alarm(&transaction, device, alarm)?;
                }
                Told::Trip(device, trip) => {
                    let device = store::device(&transaction, devices, device)?;
                    if trip.is_end {
                        let report = serde_json::to_string(&trip.report).unwrap_or_default();
                        store::keep_trip(&transaction, device, trip.time, &report)?;
                    }
                }
            }
        }
        for (device, state) in states {
            let device = store::device(&transaction, devices, device)?;
            store::keep_state(&transaction, device, state)?;
        }
        transaction.commit()
    }

    /// All that there was to be written has been; so many readings could not wait for it.
    pub(super) fn works(&mut self, lost: u64) {
        self.failed = None;
        if self.trouble.take().is_some() || lost > 0 {
            let lost = if lost > 0 {
                format!("; {lost} readings could not wait and are not in it")
            } else {
                String::new()
            };
            self.notices.push(format!("the history is written again{lost}"));
        }
    }

    /// Reads something; why not, in a sentence.
    pub(super) fn read<T>(
        &mut self,
        question: impl Fn(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, String> {
        match question(&self.connection) {
            Ok(answer) => Ok(answer),
            Err(error) => {
                if is_damage(&error) {
                    self.fail(&error);
                }
                Err(error.to_string())
            }
        }
    }

    /// Removes what is too old or too much. `now` in milliseconds since 1970.
    pub(super) fn keep_bounds(&mut self, now: i64) {
        const OFTEN: Duration = Duration::from_mins(10);
        let is_time = self.tidied.is_none_or(|tidied| tidied.elapsed() >= OFTEN);
        let result = retention::by_size(&mut self.connection, self.options.most_bytes).and_then(|()| {
            match self.options.most_age.filter(|_| is_time) {
                Some(age) => {
                    retention::by_age(&mut self.connection, now.saturating_sub(age.num_milliseconds()))
                }
                None => Ok(()),
            }
        });
        if is_time {
            self.tidied = Some(Instant::now());
        }
        if let Err(error) = result {
            self.fail(&error);
        }
    }

    /// The disk has failed, or the file is damaged: that one is set aside.
    fn fail(&mut self, error: &rusqlite::Error) {
        self.failed = Some(Instant::now());
        let file = self.options.file.clone();
        if let Some(file) = file.filter(|_| is_damage(error)) {
            self.begin_anew(&file, error);
            return;
        }
        let trouble = format!(
            "the disk does not take the history ({error}); what comes now waits in memory, as far as there is room"
        );
        if self.trouble.as_ref() != Some(&trouble) {
            self.notices.push(trouble.clone());
            self.trouble = Some(trouble);
        }
    }

    fn begin_anew(&mut self, file: &Path, error: &rusqlite::Error) {
        self.devices.clear();
        self.connection = in_memory();
        let opened = set_aside(file).map_err(|error| error.to_string()).and_then(|aside| {
            self.notices.push(set_aside_because(file, &error.to_string(), &aside));
            connect(file, self.options.is_temporary).map_err(|error| match error {
                OpenError::Disk(why) | OpenError::Unusable(why) => why,
            })
        });
        match opened {
            Ok(connection) => {
                self.connection = connection;
                self.failed = None;
            }
            Err(why) => {
                self.lock = None;
                self.options = HistoryOptions::in_memory();
                let file = file.display();
                self.notices
                    .push(format!("the history {file} can't be made anew ({why}); it is kept in memory"));
            }
        }
    }

    /// For tests: what it works with.
    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// For tests: as if there were no room.
    #[cfg(test)]
    pub(super) fn remove_some_segments(&mut self) -> usize {
        retention::remove_segments(&mut self.connection, i64::MAX).unwrap_or_default()
    }

    /// For tests: as if the time to try again had come.
    #[cfg(test)]
    pub(super) fn retry_at_once(&mut self) {
        self.failed = None;
    }
}

fn in_memory() -> Connection {
    // There is nothing that could fail but memory itself.
    let connection = Connection::open_in_memory().expect("SQLite can open a database in memory");
    if let Err(OpenError::Disk(why) | OpenError::Unusable(why)) = prepare(&connection, true) {
        tracing::error!("the history in memory: {why}");
    }
    connection
}

fn open_file(
    file: &Path,
    is_temporary: bool,
    notices: &mut Vec<String>,
) -> Result<(Connection, Lock), String> {
    let shown = file.display();
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)
            .map_err(|error| format!("the history can't be kept in {}: {error}", directory.display()))?;
    }
    let lock = Lock::take(file).map_err(|refusal| match refusal {
        Refusal::InUse(who) => format!("the history {shown} is in use by {who}"),
        Refusal::Disk(why) => format!("the history can't be kept: {why}"),
    })?;
    let why = match connect(file, is_temporary) {
        Ok(connection) => return Ok((connection, lock)),
        Err(OpenError::Disk(why)) => return Err(format!("the history {shown} can't be opened: {why}")),
        Err(OpenError::Unusable(why)) => why,
    };
    let aside = set_aside(file)
        .map_err(|error| format!("the history {shown} can't be used ({why}), nor set aside: {error}"))?;
    notices.push(set_aside_because(file, &why, &aside));
    let connection = connect(file, is_temporary).map_err(|error| match error {
        OpenError::Disk(why) | OpenError::Unusable(why) => {
            format!("the history {shown} can't be made: {why}")
        }
    })?;
    Ok((connection, lock))
}

fn connect(file: &Path, is_temporary: bool) -> Result<Connection, OpenError> {
    let connection = Connection::open(file)?;
    prepare(&connection, is_temporary)?;
    Ok(connection)
}

fn set_aside_because(file: &Path, why: &str, aside: &Path) -> String {
    let (file, aside) = (file.display(), aside.display());
    format!("the history {file} can't be used ({why}); it is set aside as {aside}, and a new one begins")
}

/// Gives the file, and the log beside it, another name.
fn set_aside(file: &Path) -> std::io::Result<PathBuf> {
    let named = |suffix: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let number = (1..10_000).find(|number| !named(&format!(".bad-{number}")).exists()).unwrap_or(1);
    let aside = named(&format!(".bad-{number}"));
    fs::rename(file, &aside)?;
    for log in ["-wal", "-shm"] {
        if named(log).exists() {
            fs::rename(named(log), named(&format!(".bad-{number}{log}")))?;
        }
    }
    Ok(aside)
}
