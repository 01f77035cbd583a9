//! The waiting room: a small file in memory (tmpfs) that has every reading until it is durable, so that the end of the
//! program, however it comes, costs none. Only the end of the power does.
//!
//! A reading is written before anything else is done with it, in one call that no disk can hold up: with its number, or
//! with a slot for the number where the journal's thread is busy and gives it later. What is durable, or acknowledged before it
//! needed to be, makes way for the next: the file begins anew, under another generation, as soon as nothing in it is needed.
//!
//! Who finds readings there, at the next start, has them under the numbers under which they may have been sent. Those that
//! the hub has acknowledged since the file last began anew come again, under the same number, and only after a kill.
//!
//! Where it can't be written, readings are taken all the same, and it is told once.

mod place;
mod record;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::fresh::Ticket;
use super::options::JournalOptions;
use super::row::{Row, UNKNOWN_BOOT};
use crate::event::{Event, Events};
pub use place::{waiting_room, waiting_rooms};

/// A longer file is replaced by one of the newest readings that take half of it: while the disk fails they may be many.
const LONGEST: u64 = 512 * 1024;
/// More is never read: besides its readings a room may have those whose number the thread is still to give.
const MOST_READ: u64 = 2 * LONGEST;
/// It is looked whether the file is still there when it has begun anew so many times.
const LOOK_EVERY: u32 = 64;

/// The waiting room, or none.
#[derive(Debug)]
pub(super) struct WaitingRoom {
    room: Mutex<Option<Room>>,
    left: Mutex<Vec<Row>>,
    events: Events,
}

/// The file, open.
#[derive(Debug)]
struct Room {
    path: PathBuf,
    file: File,
    /// What the file begins with.
    head: Vec<u8>,
    /// Where the next record goes.
    end: u64,
    generation: u32,
    /// Readings without a number.
    waiting: VecDeque<Waiting>,
    next_ticket: u32,
    /// The record in the making, kept for its room.
    buffer: Vec<u8>,
    told: bool,
}

/// A record without a number.
#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    at: u64,
    length: usize,
    sum: u32,
}

impl WaitingRoom {
    /// Opens the one that `options` name, if any. One that can't be used is told of.
    pub(super) fn open(options: &JournalOptions, events: &Events) -> Self {
        let opened = options.waiting_room.as_ref().and_then(|path| {
            Room::open(path, options).map_err(|error| events.emit(trouble(path, &error))).ok()
        });
        let (room, left) = opened.unzip();
        Self { room: Mutex::new(room), left: Mutex::new(left.unwrap_or_default()), events: events.clone() }
    }

    /// What a program that was killed has left there, in the order in which it was taken; once. The number of those that have
    /// none is 0.
    pub(super) fn take_left(&self) -> Vec<Row> {
        std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in a reading that has no number yet.
    pub(super) fn announce(&self, row: &Row) -> Option<Ticket> {
        self.with(|room| room.announce(row)).flatten()
    }

    /// The number of this one will never be given.
    pub(super) fn withdraw(&self, ticket: Option<Ticket>) {
        let Some(ticket) = ticket else { return };
        self.with(|room| {
            room.waiting.retain(|waiting| waiting.ticket != ticket);
            Ok(())
        });
    }

    /// Takes in a reading; where the room has it already, under `ticket`, its number. `alone`: no other with a number needs
    /// the room any more.
    pub(super) fn keep(&self, row: &Row, ticket: Option<Ticket>, alone: bool) {
        self.with(|room| room.keep(row, ticket, alone));
    }

    /// No reading that has a number needs it any more.
    pub(super) fn clear(&self) {
        self.with(Room::clear);
    }

    /// Has these instead of all that have a number, or, where they are too many, the newest of them.
    pub(super) fn replace<'a>(&self, rows: impl Iterator<Item = &'a Row> + Clone) {
        self.with(|room| room.replace(rows));
    }

    /// Whether it has become so long that it should be replaced.
    pub(super) fn is_long(&self) -> bool {
        self.lock().as_ref().is_some_and(|room| room.end > LONGEST)
    }

    /// Nothing comes any more. Where nothing `is_left` to be made durable it is gone; else it is for the next start.
    pub(super) fn close(&self, is_left: bool) {
        if let Some(room) = self.lock().take()
            && !is_left
            && room.waiting.is_empty()
            && !place::is_gone(&room.file)
        {
            // What stays behind is harmless: all of it is in the journal.
            let _ = fs::remove_file(&room.path);
        }
    }

    /// Does something in the room, if there is one. What fails is told of, once.
    fn with<T>(&self, deed: impl FnOnce(&mut Room) -> io::Result<T>) -> Option<T> {
        let mut guard = self.lock();
        let room = guard.as_mut()?;
        let error = match deed(room) {
            Ok(done) => return Some(done),
            Err(error) => error,
        };
        let news = (!std::mem::replace(&mut room.told, true)).then(|| trouble(&room.path, &error));
        drop(guard);
        if let Some(news) = news {
            self.events.emit(news);
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Option<Room>> {
        // No code panics while it holds the lock; if it did, every record would still have its sum.
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The readings in the waiting room at `path` of the journal in `directory`, also while an agent works with it: the number of
/// each, 0 where it has none yet, and what was measured, as the journal stores it. No more than what the journal has not got
/// itself, and what it has forgotten of late.
pub fn readings_waiting(path: &Path, directory: &Path) -> io::Result<Vec<(u64, Vec<u8>)>> {
    let file = match place::open(path, directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let content = place::content(&file, MOST_READ)?;
    let head = record::read_head(&content, &place::identity(directory)?);
    let rows = head.map(|(_, at)| record::read(&content, at).rows).unwrap_or_default();
    Ok(rows.into_iter().map(|row| (row.seq, row.payload)).collect())
}

fn trouble(path: &Path, error: &io::Error) -> Event {
    Event::Trouble(format!(
        "readings can't be kept in {} until they are on the disk ({error}): were the agent killed, those of the last two \
         seconds would be lost",
        path.display()
    ))
}

impl Room {
    /// Opens or makes it. What was there is given if it is of this journal.
    fn open(path: &Path, options: &JournalOptions) -> io::Result<(Self, Vec<Row>)> {
        let of = place::identity(&options.directory)?;
        let file = place::open_or_make(path, &options.directory)?;
        let content = place::content(&file, MOST_READ)?;
        let head = record::head(&of, &options.boot);
        let mut room = Self {
            path: path.into(),
            file,
            head,
            end: 0,
            generation: 0,
            waiting: VecDeque::new(),
            next_ticket: 0,
            buffer: Vec::new(),
            told: false,
        };
        let mut left = Vec::new();
        if let Some((boot, at)) = record::read_head(&content, &of) {
            let found = record::read(&content, at);
            left = found.rows;
            (room.generation, room.end) = (found.generation, found.end as u64);
            if boot != options.boot {
                // Memory that outlives the machine.
                for row in &mut left {
                    row.boot = Some(UNKNOWN_BOOT);
                }
            }
        }
        if left.is_empty() {
            room.begin()?;
        } else {
            room.file.set_len(room.end)?;
        }
        Ok((room, left))
    }

    /// Has nothing in it but its head.
    fn begin(&mut self) -> io::Result<()> {
        self.waiting.clear();
        self.end = self.head.len() as u64;
        self.generation = self.generation.wrapping_add(1);
        place::write_at(&self.file, &self.head, 0)?;
        self.file.set_len(self.end)
    }

    fn announce(&mut self, row: &Row) -> io::Result<Option<Ticket>> {
        let at = self.end;
        if !self.append(row)? {
            return Ok(None);
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket = self.next_ticket.wrapping_add(1);
        let (length, sum) = (self.buffer.len(), record::sum_of(&self.buffer));
        self.waiting.push_back(Waiting { ticket, at, length, sum });
        Ok(Some(ticket))
    }

    fn keep(&mut self, row: &Row, ticket: Option<Ticket>, alone: bool) -> io::Result<()> {
        let known = self.waiting.iter().position(|waiting| Some(waiting.ticket) == ticket);
        if let Some(waiting) = known.and_then(|at| self.waiting.remove(at)) {
            let written = place::write_at(
                &self.file,
                &record::slot(row, waiting.sum),
                waiting.at + record::SLOT_AT as u64,
            );
            // Without its number it would come again under another.
            return written.or_else(|error| self.begin().and(Err(error)));
        }
        if alone && self.waiting.is_empty() {
            self.end = self.head.len() as u64;
            self.generation = self.generation.wrapping_add(1);
            if self.generation.is_multiple_of(LOOK_EVERY) {
                self.look()?;
            }
        }
        self.append(row).map(|_| ())
    }

    /// Whether there was room for it.
    fn append(&mut self, row: &Row) -> io::Result<bool> {
        self.buffer.clear();
        record::write(&mut self.buffer, row, self.generation);
        let end = self.end + self.buffer.len() as u64;
        let fits = self.buffer.len() <= record::LONGEST && end <= MOST_READ;
        if fits {
            place::write_at(&self.file, &self.buffer, self.end)?;
            self.end = end;
        }
        Ok(fits)
    }

    fn clear(&mut self) -> io::Result<()> {
        let begin = self.head.len() as u64;
        let waiting: usize = self.waiting.iter().map(|waiting| waiting.length).sum();
        if self.end == begin + waiting as u64 {
            return self.look();
        }
        if waiting > 0 {
            // The disk may give the others final numbers, and they must not come again under those that they have here.
            return self.replace([].iter());
        }
        self.end = begin;
        self.generation = self.generation.wrapping_add(1);
        self.file.set_len(begin)?;
        self.look()
    }

    /// Makes the file anew where nobody would find it any more.
    fn look(&mut self) -> io::Result<()> {
        if place::is_gone(&self.file) { self.replace([].iter()) } else { Ok(()) }
    }

    fn replace<'a>(&mut self, rows: impl Iterator<Item = &'a Row> + Clone) -> io::Result<()> {
        // What was there is true no longer.
        self.try_replace(rows).or_else(|error| self.begin().and(Err(error)))
    }

    fn try_replace<'a>(&mut self, rows: impl Iterator<Item = &'a Row> + Clone) -> io::Result<()> {
        let (generation, mut bytes) = (self.generation.wrapping_add(1), self.head.clone());
        let mut all: u64 = rows.clone().map(record::length).sum();
        for row in rows {
            if all <= LONGEST / 2 {
                record::write(&mut bytes, row, generation);
            } else {
                all -= record::length(row);
            }
        }
        let mut waiting = VecDeque::new();
        for &Waiting { ticket, at, length, .. } in &self.waiting {
            let mut record = vec![0; length];
            place::read_at(&self.file, &mut record, at)?;
            for row in record::read(&record, 0).rows {
                let at = bytes.len();
                record::write(&mut bytes, &row, generation);
                let sum = record::sum_of(&bytes[at..]);
                waiting.push_back(Waiting { ticket, at: at as u64, length, sum });
            }
        }
        let path = place::replacement(&self.path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = place::make(&path)?;
        place::write_at(&file, &bytes, 0)
            .and_then(|()| fs::rename(&path, &self.path))
            .inspect_err(|_| drop(fs::remove_file(&path)))?;
        (self.file, self.waiting, self.generation) = (file, waiting, generation);
        self.end = bytes.len() as u64;
        Ok(())
    }
}

/// What a kill leaves of the room in `from`, put to `to` as that of another state directory.
#[cfg(test)]
pub(crate) fn copy_for(from: (&Path, &Path), to: (&Path, &Path)) {
    let Ok(content) = fs::read(from.1) else {
        return drop(fs::remove_file(to.1));
    };
    let (boot, at) = record::read_head(&content, &place::identity(from.0).unwrap()).unwrap();
    let head = record::head(&place::identity(to.0).unwrap(), boot);
    let _ = fs::remove_file(to.1);
    place::write_at(&place::make(to.1).unwrap(), &[&head, &content[at..]].concat(), 0).unwrap();
}
