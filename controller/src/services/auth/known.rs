//! The tokens in use, in memory: a request costs no look into the store, and neither does a guess.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::store::{TokenId, tokens::TokenRow};

pub(super) type Hash = [u8; 32];

/// What was read of the store since a token last changed.
#[derive(Default)]
pub(super) struct Known(Mutex<Table>);

#[derive(Default)]
struct Table {
    /// Grows when a token changes: what was read before must not come in after.
    generation: u64,
    is_complete: bool,
    rows: HashMap<Hash, Arc<TokenRow>>,
}

/// What is known of a hash.
pub(super) enum Lookup {
    Found(Arc<TokenRow>),
    Missing {
        generation: u64,
        /// All tokens are known, so this is most likely none.
        is_complete: bool,
    },
}

impl Known {
    pub(super) fn get(&self, hash: &Hash) -> Lookup {
        let table = self.lock();
        match table.rows.get(hash) {
            Some(row) => Lookup::Found(Arc::clone(row)),
            None => Lookup::Missing {
                generation: table.generation,
                is_complete: table.is_complete,
            },
        }
    }

    pub(super) fn of_id(&self, id: TokenId) -> Option<Arc<TokenRow>> {
        let table = self.lock();
        table.rows.values().find(|row| row.id == id).cloned()
    }

    /// Keeps all tokens as they were read at `generation`.
    pub(super) fn fill(&self, generation: u64, rows: Vec<(Hash, TokenRow)>) {
        let mut table = self.lock();
        if table.generation == generation {
            let rows = rows.into_iter().map(|(hash, row)| (hash, Arc::new(row)));
            table.rows = rows.collect();
            table.is_complete = true;
        }
    }

    /// Keeps one token as it was read at `generation`.
    pub(super) fn add(&self, generation: u64, hash: Hash, row: &Arc<TokenRow>) {
        let mut table = self.lock();
        if table.generation == generation {
            table.rows.insert(hash, Arc::clone(row));
        }
    }

    /// Tokens are others now.
    pub(super) fn forget(&self) {
        let mut table = self.lock();
        table.generation += 1;
        table.is_complete = false;
        table.rows.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Role;

    fn row() -> TokenRow {
        TokenRow {
            id: TokenId::generate(),
            name: "ci".into(),
            role: Role::Viewer,
            label_scope: Default::default(),
            expires_at: None,
            revoked_at: None,
            created_at: 1,
            last_used_at: None,
        }
    }

    #[test]
    fn what_was_read_before_a_change_does_not_come_in_after() {
        let known = Known::default();
        let Lookup::Missing { generation, .. } = known.get(&[1; 32]) else {
            panic!("nothing is known yet");
        };
        known.forget();
        known.add(generation, [1; 32], &Arc::new(row()));
        known.fill(generation, vec![([1; 32], row())]);
        let Lookup::Missing {
            generation,
            is_complete: false,
        } = known.get(&[1; 32])
        else {
            panic!("it may have been revoked since");
        };
        let kept = row();
        known.fill(generation, vec![([1; 32], kept.clone())]);
        assert!(matches!(known.get(&[1; 32]), Lookup::Found(row) if *row == kept));
        assert!(known.of_id(kept.id).is_some());
        let other = known.get(&[2; 32]);
        assert!(matches!(other, Lookup::Missing { is_complete, .. } if is_complete));
    }
}
