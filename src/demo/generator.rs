//! What happens to the users of the demo, one event after the other.

use super::profile::Profile;

/// Share of the events after the first sign-ups that are deletions, in percent.
const DELETIONS_PERCENT: u8 = 4;
/// And of those that are sign-ups: as many, so that the number of users stays about the same.
const SIGN_UPS_PERCENT: u8 = 4;
/// The user of the printed commands, who never leaves.
pub(super) const ALWAYS_ALIVE: &str = "u1";
/// The user of the printed commands who signs up and leaves for good.
pub(super) const GONE: &str = "u2";

/// One record of the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) key: String,
    /// JSON; none when the user leaves.
    pub(super) value: Option<String>,
}

/// Makes events; the same seed and times make the same events.
#[derive(Debug)]
pub(super) struct Generator {
    dice: fastrand::Rng,
    /// Users there are at first.
    users: u32,
    /// Number of the last user who signed up.
    last: u32,
    alive: Vec<Profile>,
    said_goodbye: bool,
}

impl Generator {
    /// Makes a generator that starts with the sign-ups of `users` users.
    pub(super) fn new(seed: u64, users: u32) -> Self {
        Self { dice: fastrand::Rng::with_seed(seed), users, last: 0, alive: Vec::new(), said_goodbye: false }
    }

    /// Returns whether the first sign-ups are over.
    pub(super) fn is_settled(&self) -> bool {
        self.last >= self.users && (self.said_goodbye || self.users < 2)
    }

    /// Returns the next event; `now` is the RFC 3339 time it is said to happen at.
    ///
    /// # Errors
    /// When a profile cannot be written as JSON, which its types rule out.
    pub(super) fn next(&mut self, now: &str) -> serde_json::Result<Event> {
        if self.last < self.users {
            return self.sign_up(now);
        }
        if !self.is_settled() {
            self.said_goodbye = true;
            return Ok(self.leave(1));
        }
        match self.dice.u8(0..100) {
            percent if percent < DELETIONS_PERCENT && self.alive.len() > 1 => {
                // The first one is always alive.
                let index = self.dice.usize(1..self.alive.len());
                Ok(self.leave(index))
            }
            percent if percent < DELETIONS_PERCENT + SIGN_UPS_PERCENT => self.sign_up(now),
            _ => self.change(now),
        }
    }

    fn sign_up(&mut self, now: &str) -> serde_json::Result<Event> {
        self.last += 1;
        let key = format!("u{}", self.last);
        let profile = Profile::sign_up(&key, &mut self.dice, now);
        let value = Some(serde_json::to_string(&profile)?);
        self.alive.push(profile);
        Ok(Event { key, value })
    }

    fn change(&mut self, now: &str) -> serde_json::Result<Event> {
        let index = self.dice.usize(..self.alive.len().max(1));
        let Some(profile) = self.alive.get_mut(index) else { return self.sign_up(now) };
        profile.change(&mut self.dice, now);
        Ok(Event { key: profile.id.clone(), value: Some(serde_json::to_string(profile)?) })
    }

    fn leave(&mut self, index: usize) -> Event {
        let profile = self.alive.swap_remove(index);
        Event { key: profile.id, value: None }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    const NOW: &str = "2026-11-24T12:00:00Z";

    fn events(seed: u64, users: u32, count: usize) -> Vec<Event> {
        let mut generator = Generator::new(seed, users);
        (0..count).map(|_| generator.next(NOW).unwrap()).collect()
    }

    #[test]
    fn the_same_seed_makes_the_same_events() {
        assert_eq!(events(7, 100, 2000), events(7, 100, 2000));
        assert_ne!(events(7, 100, 2000), events(8, 100, 2000));
    }

    #[test]
    fn every_value_is_the_json_of_the_user_the_key_names() {
        for event in events(1, 50, 3000) {
            let Some(value) = event.value else { continue };
            let profile: Profile = serde_json::from_str(&value).unwrap();
            assert_eq!(profile.id, event.key);
            assert!(profile.email.ends_with("example.com") || profile.email.contains("example."), "{value}");
            assert!(value.len() < 400, "the Kafka in memory keeps little: {}", value.len());
        }
    }

    #[test]
    fn only_living_users_leave_and_nobody_comes_back() {
        let (mut alive, mut gone) = (BTreeSet::new(), BTreeSet::new());
        for event in events(3, 200, 20_000) {
            if event.value.is_some() {
                assert!(!gone.contains(&event.key), "{} is gone", event.key);
                alive.insert(event.key);
            } else {
                assert!(alive.remove(&event.key), "{} is not there", event.key);
                gone.insert(event.key);
            }
        }
        assert!(gone.len() > 100 && alive.len() > 100, "{} and {}", alive.len(), gone.len());
    }

    #[test]
    fn the_users_of_the_printed_commands_are_what_is_said_of_them() {
        for users in [2, 3, 500] {
            let mut state = BTreeMap::new();
            let mut generator = Generator::new(5, users);
            for number in 0..5000 {
                let event = generator.next(NOW).unwrap();
                state.insert(event.key, event.value);
                assert!(state[ALWAYS_ALIVE].is_some(), "after {number} events");
                if generator.is_settled() {
                    assert!(state[GONE].is_none(), "after {number} events");
                }
            }
        }
    }

    #[test]
    fn a_single_user_signs_up_first() {
        let first = events(2, 1, 1000);

        assert_eq!(first[0].key, ALWAYS_ALIVE);
        assert!(first.iter().all(|event| event.key != ALWAYS_ALIVE || event.value.is_some()));
    }

    #[test]
    fn first_everybody_signs_up() {
        let mut generator = Generator::new(1, 3);
        let mut keys = Vec::new();
        while !generator.is_settled() {
            let event = generator.next(NOW).unwrap();
            keys.push((event.key, event.value.is_some()));
        }

        let said: Vec<_> = keys.iter().map(|(key, alive)| (key.as_str(), *alive)).collect();
        assert_eq!(said, [("u1", true), ("u2", true), ("u3", true), ("u2", false)]);
    }
}
