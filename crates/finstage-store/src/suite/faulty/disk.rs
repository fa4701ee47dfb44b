//! The state of the disk: what is there, what of it is durable, and what a power cut makes of both.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::Fault;
use crate::suite::Rng;

pub(super) type Tree = BTreeMap<PathBuf, Node>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    Dir,
    File(usize),
}

#[derive(Debug, Clone)]
pub(super) enum Change {
    Add(PathBuf, Node),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

#[derive(Debug, Default)]
pub(super) struct Inode {
    pub(super) data: Vec<u8>,
    /// How many bytes of `data` are durable.
    pub(super) synced: usize,
    /// Durable bytes that were cut off since; they come back when the cut did not reach the disk.
    pub(super) cut: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Disk {
    pub(super) rng: Rng,
    pub(super) tree: Tree,
    pub(super) durable: Tree,
    /// Changes of names that no folder sync has made durable, oldest first.
    pub(super) pending: Vec<Change>,
    pub(super) inodes: Vec<Inode>,
    pub(super) operations: u64,
    pub(super) fault: Option<(u64, Fault)>,
    pub(super) crashed: bool,
    /// Bytes that still fit; `None` is plenty.
    pub(super) room: Option<u64>,
    /// Counts restarts: files opened before one are dead.
    pub(super) life: u32,
}

impl Disk {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            tree: Tree::new(),
            durable: Tree::new(),
            pending: Vec::new(),
            inodes: Vec::new(),
            operations: 0,
            fault: None,
            crashed: false,
            room: None,
            life: 0,
        }
    }

    pub(super) fn alive(&self) -> io::Result<()> {
        if self.crashed { Err(io::Error::other("the machine has crashed")) } else { Ok(()) }
    }

    /// Counts an operation; true when it is the one that crashes.
    pub(super) fn begin(&mut self) -> io::Result<bool> {
        self.alive()?;
        let now = self.operations;
        self.operations += 1;
        match self.fault {
            Some((at, Fault::Crash)) if now >= at => {
                self.crashed = true;
                Ok(true)
            }
            Some((at, Fault::Full)) if now >= at => {
                self.fault = None;
                self.room = Some(0);
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    /// An operation that is done or not: on the crash, by chance.
    pub(super) fn begin_whole(&mut self) -> io::Result<bool> {
        let crash = self.begin()?;
        Ok(!crash || self.rng.below(2) == 0)
    }

    /// A change of names: in force now, durable once its folder is synced.
    pub(super) fn change(&mut self, change: Change) -> io::Result<()> {
        if self.begin_whole()? {
            apply(&mut self.tree, &change);
            self.pending.push(change);
        }
        self.alive()
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<usize> {
        match self.tree.get(path) {
            Some(&Node::File(inode)) => Ok(inode),
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn is_dir(&self, dir: &Path) -> bool {
        dir.parent().is_none()
            || dir.as_os_str().is_empty()
            || self.tree.get(dir) == Some(&Node::Dir)
    }

    pub(super) fn append(&mut self, inode: usize, bytes: &[u8]) -> io::Result<()> {
        let crash = self.begin()?;
        let room = self.room.map_or(bytes.len(), |room| bytes.len().min(room as usize));
        let written = if crash { self.rng.below(room + 1) } else { room };
        self.inodes[inode].data.extend(&bytes[..written]);
        if let Some(room) = &mut self.room {
            *room -= written as u64;
        }
        self.alive()?;
        if written < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    pub(super) fn free_space_of(&mut self, path: &Path) {
        let under = self.tree.iter().filter(|(name, _)| name.starts_with(path));
        let size: usize = under
            .map(|(_, node)| match node {
                Node::File(inode) => self.inodes[*inode].data.len(),
                Node::Dir => 0,
            })
            .sum();
        if let Some(room) = &mut self.room {
            *room += size as u64;
        }
    }

    pub(super) fn cut_power(&mut self) {
        let mut tree = std::mem::take(&mut self.durable);
        let kept = self.rng.below(self.pending.len() + 1);
        for change in self.pending.drain(..).take(kept) {
            apply(&mut tree, &change);
        }
        // A name whose folder is missing cannot be reached.
        let all = tree.clone();
        let has_folder = |path: &Path| {
            path.ancestors().skip(1).all(|dir| {
                dir.parent().is_none()
                    || dir.as_os_str().is_empty()
                    || all.get(dir) == Some(&Node::Dir)
            })
        };
        tree.retain(|path, _| has_folder(path));
        let Self { inodes, rng, .. } = self;
        inodes.iter_mut().for_each(|inode| inode.cut_power(rng));
        self.durable = tree.clone();
        self.tree = tree;
        self.revive();
    }

    pub(super) fn revive(&mut self) {
        self.crashed = false;
        self.fault = None;
        self.room = None;
        self.life += 1;
    }
}

impl Inode {
    pub(super) fn truncate(&mut self, size: usize) {
        if size < self.synced {
            let mut cut = self.data[size..self.synced].to_vec();
            cut.append(&mut self.cut);
            self.cut = cut;
            self.synced = size;
        }
        self.data.truncate(size);
    }

    pub(super) fn sync(&mut self) {
        self.synced = self.data.len();
        self.cut.clear();
    }

    pub(super) fn cut_power(&mut self, rng: &mut Rng) {
        if !self.cut.is_empty() && rng.below(2) == 0 {
            self.data.truncate(self.synced);
            self.data.append(&mut self.cut);
        } else {
            let tail = self.data.len() - self.synced;
            let kept = rng.below(tail + 1);
            self.data.truncate(self.synced + kept);
            let garbled = match rng.below(4) {
                0 => rng.below(kept + 1),
                1 => rng.below(kept.min(16) + 1),
                _ => 0,
            };
            let zeros = rng.below(2) == 0;
            let from = self.data.len() - garbled;
            for byte in &mut self.data[from..] {
                *byte = if zeros { 0 } else { rng.bits() as u8 };
            }
        }
        self.sync();
    }
}

pub(super) fn apply(tree: &mut Tree, change: &Change) {
    match change {
        Change::Add(path, node) => drop(tree.insert(path.clone(), *node)),
        Change::Remove(path) => tree.retain(|name, _| !name.starts_with(path)),
        Change::Rename(from, to) => {
            let moved: Vec<(PathBuf, Node)> = tree
                .iter()
                .filter_map(|(name, node)| Some((name.strip_prefix(from).ok()?, *node)))
                .map(|(rest, node)| {
                    let whole =
                        if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
                    (whole, node)
                })
                .collect();
            tree.retain(|name, _| !name.starts_with(from));
            tree.extend(moved);
        }
    }
}

pub(super) fn is_in(change: &Change, dir: &Path) -> bool {
    let (Change::Add(path, _) | Change::Remove(path) | Change::Rename(_, path)) = change;
    path.parent() == Some(dir)
}
