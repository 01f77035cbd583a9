//! The modules of a crate, as its files declare them from `lib.rs` on, and where a path in one of them leads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::items::{Import, Items};
use crate::tokens::{tokens, without_tests};

/// From the importing file to the imported one, with what is imported.
pub type Arrows = BTreeMap<(String, String), BTreeSet<String>>;

/// A crate without its tests.
#[derive(Debug, Default)]
pub struct Modules {
    /// The first is the crate's root.
    modules: Vec<Module>,
}

#[derive(Debug)]
struct Module {
    /// From the root of the sources: `journal/mod.rs`.
    file: String,
    /// Its own for the root.
    parent: usize,
    /// Several of one name where the target or the features choose between them.
    children: BTreeMap<String, Vec<usize>>,
    imports: Vec<Import>,
    paths: Vec<Vec<String>>,
    defines: BTreeSet<String>,
}

impl Modules {
    /// Reads the crate whose `lib.rs` is in `sources`.
    pub fn read(sources: &Path) -> Self {
        let mut modules = Self::default();
        modules.enter(sources, "lib.rs", "", 0);
        modules
    }

    /// Reads `file`, whose children are in `folder` (empty, or with a slash at its end).
    fn enter(&mut self, sources: &Path, file: &str, folder: &str, parent: usize) -> usize {
        let text = fs::read_to_string(sources.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let items = Items::read(&without_tests(&tokens(&text)));
        self.add(sources, file, folder, parent, items)
    }

    fn add(&mut self, sources: &Path, file: &str, folder: &str, parent: usize, items: Items) -> usize {
        let Items { modules, imports, paths, defines } = items;
        let this = self.modules.len();
        let children = BTreeMap::new();
        self.modules.push(Module { file: file.to_owned(), parent, children, imports, paths, defines });
        for declared in modules {
            let name = declared.name;
            let inside = format!("{folder}{name}/");
            let child = match (declared.inline, declared.path) {
                (Some(items), _) => self.add(sources, file, &inside, this, items),
                (None, Some(path)) => {
                    let beside = file.rfind('/').map_or("", |slash| &file[..=slash]);
                    self.enter(sources, &format!("{beside}{path}"), &inside, this)
                }
                (None, None) if sources.join(format!("{inside}mod.rs")).exists() => {
                    self.enter(sources, &format!("{inside}mod.rs"), &inside, this)
                }
                (None, None) => self.enter(sources, &format!("{folder}{name}.rs"), &inside, this),
            };
            self.modules[this].children.entry(name).or_default().push(child);
        }
        this
    }

    /// The modules that stand in `lib.rs`, with the files of each.
    pub fn rooms(&self) -> BTreeMap<String, String> {
        let mut rooms = BTreeMap::new();
        for (name, tops) in &self.modules[0].children {
            for (index, module) in self.modules.iter().enumerate() {
                let mut above = index;
                while self.modules[above].parent != 0 {
                    above = self.modules[above].parent;
                }
                if tops.contains(&above) && module.file != self.modules[0].file {
                    rooms.insert(module.file.clone(), name.clone());
                }
            }
        }
        rooms
    }

    /// Which file imports what from which.
    pub fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (index, module) in self.modules.iter().enumerate() {
            let mut draw = |to: usize, name: String| {
                let to = &self.modules[to].file;
                if *to != module.file {
                    arrows.entry((module.file.clone(), to.clone())).or_default().insert(name);
                }
            };
            let imported = module.imports.iter().map(|import| (&import.path, import.name == "*"));
            for (path, glob) in imported.chain(module.paths.iter().map(|path| (path, false))) {
                let name = if glob { path.join("::") + "::*" } else { noun(path) };
                for to in self.follow(index, path, 0) {
                    draw(to, name.clone());
                }
            }
        }
        arrows
    }

    /// The modules that have what `path`, standing in module `from`, names; none for what is of another crate.
    fn follow(&self, from: usize, path: &[String], turns: usize) -> Vec<usize> {
        let mut at = from;
        let mut rest = path;
        while let Some((word, next)) = rest.split_first() {
            match word.as_str() {
                "crate" => at = 0,
                "self" => {}
                "super" => at = self.modules[at].parent,
                _ => break,
            }
            rest = next;
        }
        let known = |name: &String| {
            let Module { children, imports, .. } = &self.modules[at];
            children.contains_key(name) || imports.iter().any(|import| import.name == *name)
        };
        // A path that begins with a name goes out from what is known by it here, or leaves the crate.
        if rest.len() == path.len() && !rest.first().is_some_and(known) {
            return Vec::new();
        }
        self.descend(at, rest, turns)
    }

    /// Follows what is left of a path downwards from module `at`, and through what is imported on the way.
    fn descend(&self, at: usize, path: &[String], turns: usize) -> Vec<usize> {
        let module = &self.modules[at];
        let Some((name, rest)) = path.split_first() else { return vec![at] };
        if let Some(children) = module.children.get(name) {
            return children.iter().flat_map(|child| self.descend(*child, rest, turns)).collect();
        }
        // What is imported under its own name, as `use serde_json;` is, is of another crate.
        if turns > 32 {
            return Vec::new();
        }
        if let Some(import) = module.imports.iter().find(|import| import.name == *name) {
            return self.follow(at, &[&import.path, rest].concat(), turns + 1);
        }
        let globs = module.imports.iter().filter(|import| import.name == "*");
        let has = |to: &usize| *to != at && !module.defines.contains(name) && self.modules[*to].knows(name);
        match globs.flat_map(|glob| self.follow(at, &glob.path, turns + 1)).find(has) {
            Some(to) => self.descend(to, path, turns + 1),
            None => vec![at],
        }
    }
}

/// The type or constant that a path names, or else its end.
fn noun(path: &[String]) -> String {
    let noun = path.iter().find(|word| word.starts_with(char::is_uppercase));
    noun.or(path.last()).cloned().unwrap_or_default()
}

impl Module {
    fn knows(&self, name: &str) -> bool {
        self.defines.contains(name)
            || self.children.contains_key(name)
            || self.imports.iter().any(|import| import.name == name)
    }
}
