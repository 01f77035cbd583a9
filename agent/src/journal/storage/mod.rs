//! The disk as it is for who works with it: there, or failing, and then tried again after a while.

pub(crate) mod adopt;
pub(crate) mod disk;
pub(crate) mod file_system;
pub(crate) mod files;
pub(crate) mod kept_states;
pub(crate) mod memory;
pub(crate) mod notes;
pub(crate) mod place;
pub(crate) mod schema;
pub(crate) mod spare;
pub(crate) mod unreadable;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::event::{Event, Events};
use crate::journal::options::JournalOptions;
use crate::journal::shared::Shared;
use crate::platform::owner;
use adopt::{Adopted, adopt};
use disk::Disk;
use file_system::FileSystem;
use files::{
    FILE, FILES, INDEX, LOG, finish_set_aside, has_damaged_log, has_log_alone, set_aside_on, set_part_aside,
    what_is_no_file,
};
use memory::CAPACITY_IN_WORDS;
use place::Displaced;
use schema::{OpenError, is_damage};
use unreadable::Unreadable;

/// A disk that failed is tried again so often.
pub(crate) const RETRY: Duration = Duration::from_mins(1);

/// The journal's file, while there is one, and what is known of the disk.
pub(crate) struct Storage {
    options: JournalOptions,
    files: Arc<dyn FileSystem>,
    shared: Arc<Shared>,
    events: Events,
    disk: Option<Disk>,
    /// A file that is gone from its name, and open: what it has is saved into the next one.
    displaced: Option<Disk>,
    /// When it last failed, while it does.
    failed: Option<Instant>,
}

impl Storage {
    pub(crate) fn new(
        options: JournalOptions,
        files: Arc<dyn FileSystem>,
        shared: Arc<Shared>,
        events: Events,
    ) -> Self {
        Self { options, files, shared, events, disk: None, displaced: None, failed: None }
    }

    /// The file is kept below this size, in bytes.
    pub(crate) fn size_bound(&self) -> u64 {
        self.options.size_bound
    }

    /// The file, to ask what needs no disk.
    pub(crate) fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.disk.is_some()
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// A disk that failed is not tried with every reading.
    pub(crate) fn may_try(&self, now: Instant) -> bool {
        self.retry_at().is_none_or(|at| now >= at)
    }

    /// When a disk that failed is to be tried again.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.failed.map(|failed| failed + RETRY)
    }

    /// It may be tried at once.
    pub(crate) fn retry_at_once(&mut self) {
        self.failed = None;
    }

    /// Whether people have been told that it fails.
    pub(crate) fn is_in_trouble(&self) -> bool {
        self.shared.health.borrow().trouble.is_some()
    }

    /// All that there was to be written has been.
    pub(crate) fn works(&mut self) {
        self.failed = None;
        self.report(None);
    }

    /// Does something with the file. `None` where there is none, or after an error has been dealt with.
    pub(crate) fn attempt<T>(
        &mut self,
        now: Instant,
        deed: impl FnOnce(&mut Disk) -> rusqlite::Result<T>,
    ) -> Option<T> {
        let disk = self.disk.as_mut()?;
        let result = deed(disk);
        if let Some(unreadable) = disk.take_unreadable() {
            self.report_unreadable(&unreadable);
        }
        result.map_err(|error| self.fail(&error, now)).ok()
    }

    /// Opens the file, and sets one aside that can't be used. Whether there is one now.
    pub(crate) fn open(&mut self, now: Instant) -> bool {
        match self.open_or_begin_anew().and_then(|disk| self.save_displaced(disk)) {
            Ok(disk) => self.disk = Some(disk),
            Err(why) => {
                self.failed = Some(now);
                let directory = &self.options.directory;
                let files = FILES.iter().map(|name| directory.join(name)).chain([directory.clone()]);
                let owner = owner::me().and_then(|me| owner::foreign(files, me, directory));
                let why = [why].into_iter().chain(owner).collect::<Vec<_>>().join(": ");
                self.report(Some(format!(
                    "the journal can't be opened in {} ({why}); the newest {CAPACITY_IN_WORDS} readings are kept in memory and would \
                     be lost with the power",
                    directory.display()
                )));
            }
        }
        self.is_open()
    }

    /// Leaves a file that is not under its name any more, as nobody will find it there: [`Storage::open`] makes another.
    pub(crate) fn leave_displaced(&mut self, now: Instant) {
        match self.disk.as_ref().and_then(Disk::displaced) {
            Some(Displaced::File) => {
                self.displaced = self.disk.take();
                self.displaced.iter().for_each(Disk::make_way);
            }
            // The file is where it was, and takes what the log has.
            Some(Displaced::Log) if self.attempt(now, |disk| disk.checkpoint()) == Some(true) => {
                self.disk = None;
                self.events.emit(Event::Trouble(format!(
                    "the log of the journal in {} was removed or replaced while the agent worked with it; nothing is lost",
                    self.options.directory.display()
                )));
            }
            Some(Displaced::Log) | None => {}
        }
    }

    /// Readings in a file that nobody will find.
    pub(crate) fn rows_displaced(&self) -> u64 {
        self.displaced.as_ref().map_or(0, Disk::rows)
    }

    /// Saves what a displaced file has into `disk`, and tells of it.
    fn save_displaced(&mut self, mut disk: Disk) -> Result<Disk, String> {
        if let Some(old) = &mut self.displaced {
            let Adopted { saved, lost } = adopt(old, &mut disk).map_err(|error| error.to_string())?;
            let lost_too = if lost > 0 { format!(", {lost} are lost") } else { String::new() };
            self.shared.stats().dropped += lost;
            self.events.emit(Event::Trouble(format!(
                "{} was removed or replaced while the agent worked with it; {saved} readings that wait were saved into a new \
                 one{lost_too}",
                self.options.directory.join(FILE).display()
            )));
            self.displaced = None;
        }
        Ok(disk)
    }

    fn open_or_begin_anew(&self) -> Result<Disk, String> {
        let directory = &self.options.directory;
        // Somebody may have removed all of it under the agent.
        self.files.make_directory(directory).map_err(|error| format!("can't make it: {error}"))?;
        let finished = finish_set_aside(&*self.files, directory)
            .map_err(|error| format!("setting it aside can't be finished: {error}"))?;
        if let Some(path) = finished {
            let path = path.display();
            self.events.emit(Event::Trouble(format!(
                "setting the journal aside as {path} had been interrupted; it is done now"
            )));
        }
        let why = match self.open_as_it_is() {
            // SQLite tells a damage in lines of its own.
            Err(OpenError::Unusable(why)) => why.replace('\n', " "),
            Err(OpenError::Disk(why) | OpenError::NoSharedMemory(why)) => return Err(why),
            Ok(disk) => return Ok(disk),
        };
        let path = set_aside_on(&*self.files, directory, "bad")
            .map_err(|error| format!("{why}, and can't be set aside: {error}"))?;
        if let Some(path) = path {
            self.report_set_aside(format!(
                "the journal could not be used ({why}); it is set aside as {}",
                path.display()
            ));
        }
        self.open_as_it_is().map_err(|error| match error {
            OpenError::Disk(why) | OpenError::NoSharedMemory(why) | OpenError::Unusable(why) => why,
        })
    }

    fn open_as_it_is(&self) -> Result<Disk, OpenError> {
        let JournalOptions { directory, boot, .. } = &self.options;
        while let Some((suffix, what)) = what_is_no_file(&*self.files, directory) {
            // What lies in the place of log or index says nothing against the file.
            if ![LOG, INDEX].contains(&suffix) {
                return Err(OpenError::Unusable(what));
            }
            self.set_part_aside(suffix, &what)?;
        }
        if has_log_alone(&*self.files, directory) {
            return Err(OpenError::Unusable("its log is there, but the file is gone".into()));
        }
        if has_damaged_log(&*self.files, directory) {
            let what =
                "the log of the journal is damaged in its header, so that the newest readings are lost";
            self.set_part_aside(LOG, what)?;
        }
        Disk::open(&self.files, directory, boot)
    }

    /// Sets a part aside that can't be used, for this reason, and tells of it.
    fn set_part_aside(&self, suffix: &'static str, what: &str) -> Result<(), OpenError> {
        let aside = set_part_aside(&*self.files, &self.options.directory, suffix)
            .map_err(|error| OpenError::Disk(format!("{what}, and can't be set aside: {error}")))?;
        self.report_set_aside(format!(
            "{what}; it is set aside as {}, and what the file itself has is delivered",
            aside.display()
        ));
        Ok(())
    }

    fn fail(&mut self, error: &rusqlite::Error, now: Instant) {
        if is_damage(error) {
            // Opened again at the next commit, it is found damaged and set aside.
            if let Some(disk) = self.disk.take() {
                disk.abandon();
            }
            self.failed = None;
        } else {
            self.failed = Some(now);
        }
        self.report(Some(format!(
            "the disk does not take the journal ({error}); the newest {CAPACITY_IN_WORDS} readings are kept in memory and would be lost \
             with the power"
        )));
    }

    /// Tells what is wrong with the disk, or that nothing is any more; each thing once.
    fn report(&self, trouble: Option<String>) {
        let news = self.shared.health.send_if_modified(|health| {
            let news = health.trouble != trouble;
            health.trouble.clone_from(&trouble);
            news
        });
        if news {
            self.events
                .emit(Event::Trouble(trouble.unwrap_or_else(|| "the disk takes the journal again".into())));
        }
    }

    /// Tells of rows that were put aside. They are lost, and the disk is no worse for it.
    fn report_unreadable(&self, unreadable: &Unreadable) {
        self.shared.stats().dropped += unreadable.seqs.len() as u64;
        let file = self.options.directory.join(FILE);
        self.events.emit(Event::Trouble(format!(
            "in the journal {unreadable}: lost, and kept in the table \"unreadable\" of {} to be looked at; the others are \
             delivered. Replace the card if it happens again",
            file.display()
        )));
    }

    fn report_set_aside(&self, what: String) {
        self.events.emit(Event::Trouble(what.clone()));
        self.shared.health.send_modify(|health| health.set_aside = Some(what));
    }
}
