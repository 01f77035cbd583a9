//! On a real disk: who may read what, and what is damaged or somebody else's.

use std::fs;
use std::path::Path;

use super::super::pairs::Pairs;
use super::authority::{Authority, NAME, now};
use super::double::Machine;
use crate::identity::operational::{KeyPlace, Operational, Slot, Summary};

const OPERATIONAL: Operational = Operational { key: KeyPlace::File, renew_at: 0.8 };

fn open(state: &Path) -> Pairs {
    Pairs::open(Some(&OPERATIONAL), state).unwrap().unwrap()
}

fn names(state: &Path) -> Vec<String> {
    let entries = fs::read_dir(state.join("operational")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn renew(pairs: &mut Pairs, authority: &Authority) -> String {
    let request = pairs.request(&NAME.parse().unwrap(), Some(now())).unwrap();
    pairs.take(&authority.issue(&request.csr), Some(now())).unwrap();
    pairs.candidates()[0].identity.thumbprint.clone()
}

#[cfg(unix)]
#[test]
fn all_of_it_is_for_its_owner_alone_and_is_removed_whole() {
    use std::os::unix::fs::PermissionsExt;

    let state = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let mode = |path: &str| fs::metadata(state.path().join(path)).unwrap().permissions().mode() & 0o777;
    let mut pairs = open(state.path());
    assert!(!state.path().join("operational").exists(), "nothing is made before it is needed");
    pairs.request(&NAME.parse().unwrap(), Some(now())).unwrap();
    assert_eq!((mode("operational"), mode("operational/request.key")), (0o700, 0o600));
    let first = renew(&mut pairs, &authority);
    assert_eq!((mode("operational/next.pem"), names(state.path())), (0o600, vec!["next.pem".to_owned()]));
    pairs.proved(&first).unwrap();
    let second = renew(&mut pairs, &authority);
    assert_eq!(names(state.path()), ["current.pem", "next.pem"]);
    let slots: Vec<_> = open(state.path()).candidates().iter().map(|pair| pair.slot).collect();
    assert_eq!(slots, [Slot::Next, Slot::Current]);
    pairs.refused(&second).unwrap();
    let summary = Summary::look(&OPERATIONAL, state.path()).unwrap();
    let told: Vec<_> = summary.pairs.iter().map(|pair| (&*pair.thumbprint, pair.refusals)).collect();
    assert_eq!(told, [(&*first, 0), (&*second, 1)], "after a rollback the old one comes first");
    for operational in [Some(&OPERATIONAL), None] {
        assert_eq!(Pairs::destroy(operational, state.path()).unwrap(), Vec::<String>::new());
    }
    assert!(!state.path().join("operational").exists());
}

#[test]
fn what_is_damaged_or_somebody_elses_is_put_aside_and_the_rest_is_used() {
    let state = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let mut pairs = open(state.path());
    let first = renew(&mut pairs, &authority);
    pairs.proved(&first).unwrap();
    renew(&mut pairs, &authority);
    pairs.request(&NAME.parse().unwrap(), None).unwrap();
    let at = |name: &str| state.path().join("operational").join(name);
    let whole = fs::read(at("next.pem")).unwrap();
    fs::write(at("next.pem"), &whole[..whole.len() - 40]).unwrap();
    fs::write(at("request.json"), "{").unwrap();
    fs::create_dir(at("record.json")).unwrap();
    fs::write(at("notes.txt"), "buy cheese").unwrap();
    fs::write(at("current.pem.new"), "half").unwrap();
    let look = Summary::look(&OPERATIONAL, state.path()).unwrap();
    assert!(look.pairs.len() == 1 && look.troubles.len() == 4 && at("current.pem.new").exists(), "{look:?}");

    let mut pairs = open(state.path());
    let news = pairs.news();
    for words in [
        "next.pem.bad-1",
        "request.json.bad-1",
        "record.json.bad-1",
        "notes.txt is no file of this agent; it was put aside as",
    ] {
        assert!(news.iter().any(|text| text.contains(words)), "{words:?} is not in {news:?}");
    }
    let left =
        ["current.pem", "next.pem.bad-1", "notes.txt.bad-1", "record.json.bad-1", "request.json.bad-1"];
    assert_eq!(names(state.path()), left);
    let candidates = pairs.candidates();
    assert!(candidates.len() == 1 && candidates[0].identity.thumbprint == first);
    assert_eq!(open(state.path()).news(), Vec::<String>::new(), "they are told once");
    renew(&mut pairs, &authority);
    assert_eq!(pairs.candidates().len(), 2);
}

#[test]
fn a_key_that_belongs_to_another_certificate_is_damage_too() {
    let state = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let mut pairs = open(state.path());
    let first = renew(&mut pairs, &authority);
    pairs.proved(&first).unwrap();
    let [old, new] = ["current.pem", "next.pem"].map(|name| state.path().join("operational").join(name));
    renew(&mut pairs, &authority);
    let split =
        |text: &str| text.find("-----BEGIN PRIVATE").map(|at| (text[..at].to_owned(), text[at..].to_owned()));
    let (chain, _) = split(&fs::read_to_string(&new).unwrap()).unwrap();
    let (_, key) = split(&fs::read_to_string(old).unwrap()).unwrap();
    fs::write(&new, chain + &key).unwrap();
    let mut pairs = open(state.path());
    assert!(pairs.news()[0].contains("is not the key of the certificate"));
    assert_eq!(pairs.candidates().len(), 1);
}

#[test]
fn a_disk_that_is_full_or_read_only_is_told_and_the_pair_in_use_stays() {
    use std::io::ErrorKind;

    let machine = Machine::new(None);
    let mut pairs = Pairs::over(Box::new(machine.clone()), None, 0.8).unwrap();
    let authority = Authority::new();
    let first = renew(&mut pairs, &authority);
    pairs.proved(&first).unwrap();
    for (fault, words) in [
        (ErrorKind::StorageFull, "no storage space"),
        (ErrorKind::ReadOnlyFilesystem, "read-only filesystem"),
    ] {
        machine.set_fault(Some(fault));
        let error = pairs.request(&NAME.parse().unwrap(), None).unwrap_err().to_string();
        assert!(error.starts_with("can't write /state/operational/request.key: "), "{error}");
        assert!(error.contains(words) && error.ends_with("; the certificate in use stays"), "{error}");
        machine.set_fault(None);
        let request = pairs.request(&NAME.parse().unwrap(), None).unwrap();
        machine.set_fault(Some(fault));
        let chain = authority.issue(&request.csr);
        let error = pairs.take(&chain, None).unwrap_err().to_string();
        assert!(error.starts_with("can't write /state/operational/next.pem: "), "{error}");
        assert_eq!((pairs.candidates().len(), pairs.under_way()), (1, Some(request)));
        machine.set_fault(None);
        pairs.forget_request().unwrap();
    }
    machine.lay("x.new", b"");
    assert_eq!(pairs.candidates()[0].identity.thumbprint, first);
}
