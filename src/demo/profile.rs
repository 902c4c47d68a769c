//! User profiles as the demo makes them up.

use serde::{Deserialize, Serialize};

/// One user, in the form of the record's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Profile {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) plan: String,
    pub(super) address: Address,
    pub(super) locale: String,
    pub(super) created_at: String,
    pub(super) updated_at: String,
}

/// Where a user lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Address {
    pub(super) street: String,
    pub(super) postcode: String,
    pub(super) city: String,
    pub(super) country: String,
}

/// A city with what goes with it: postcode prefix, country, locale, streets.
struct City {
    name: &'static str,
    postcode: &'static str,
    country: &'static str,
    locale: &'static str,
    streets: [&'static str; 3],
}

const GIVEN: [&str; 20] = [
    "Ada",
    "Grace",
    "Alan",
    "Edsger",
    "Barbara",
    "Donald",
    "Frances",
    "Ken",
    "Radia",
    "Tony",
    "Margaret",
    "Niklaus",
    "Hedy",
    "Claude",
    "Katherine",
    "Dennis",
    "Adele",
    "Leslie",
    "Shafi",
    "Tim",
];
const FAMILY: [&str; 20] = [
    "Lindqvist",
    "Moreau",
    "Okafor",
    "Tanaka",
    "Novák",
    "García",
    "Schmidt",
    "Rossi",
    "Haddad",
    "Nguyen",
    "Kowalska",
    "Silva",
    "Andersen",
    "Yılmaz",
    "Murphy",
    "Petrov",
    "Kaur",
    "Dubois",
    "Jansen",
    "Weber",
];
const PROVIDERS: [&str; 5] =
    ["example.com", "example.org", "example.net", "mail.example.com", "post.example.org"];
const PLANS: [&str; 4] = ["free", "free", "plus", "business"];
const CITIES: [City; 8] = [
    City {
        name: "Berlin",
        postcode: "10",
        country: "DE",
        locale: "de-DE",
        streets: ["Torstraße", "Kastanienallee", "Oranienstraße"],
    },
    City {
        name: "Paris",
        postcode: "75",
        country: "FR",
        locale: "fr-FR",
        streets: ["Rue de Rivoli", "Rue Oberkampf", "Rue des Martyrs"],
    },
    City {
        name: "Praha",
        postcode: "11",
        country: "CZ",
        locale: "cs-CZ",
        streets: ["Dlouhá", "Vinohradská", "Národní"],
    },
    City {
        name: "Porto",
        postcode: "40",
        country: "PT",
        locale: "pt-PT",
        streets: ["Rua das Flores", "Rua de Cedofeita", "Rua do Almada"],
    },
    City {
        name: "Kraków",
        postcode: "30",
        country: "PL",
        locale: "pl-PL",
        streets: ["Floriańska", "Grodzka", "Szewska"],
    },
    City {
        name: "Göteborg",
        postcode: "41",
        country: "SE",
        locale: "sv-SE",
        streets: ["Avenyn", "Linnégatan", "Vasagatan"],
    },
    City {
        name: "Dublin",
        postcode: "02",
        country: "IE",
        locale: "en-IE",
        streets: ["Capel Street", "Baggot Street", "Camden Street"],
    },
    City {
        name: "Kyoto",
        postcode: "60",
        country: "JP",
        locale: "ja-JP",
        streets: ["Shijō-dōri", "Kawaramachi-dōri", "Teramachi-dōri"],
    },
];

impl Profile {
    /// Makes up a user who signs up.
    pub(super) fn sign_up(id: &str, dice: &mut fastrand::Rng, now: &str) -> Self {
        let (given, family) = (pick(dice, &GIVEN), pick(dice, &FAMILY));
        let (address, locale) = address(dice);
        Self {
            id: id.to_owned(),
            name: format!("{given} {family}"),
            email: email(given, id, dice),
            plan: (*pick(dice, &PLANS)).to_owned(),
            address,
            locale,
            created_at: now.to_owned(),
            updated_at: now.to_owned(),
        }
    }

    /// Changes one thing a user changes now and then.
    pub(super) fn change(&mut self, dice: &mut fastrand::Rng, now: &str) {
        match dice.u8(0..3) {
            0 => {
                let given = self.name.split(' ').next().unwrap_or_default();
                self.email = email(given, &self.id, dice);
            }
            1 => (self.address, self.locale) = address(dice),
            _ => self.plan = (*pick(dice, &PLANS)).to_owned(),
        }
        now.clone_into(&mut self.updated_at);
    }
}

fn email(given: &str, id: &str, dice: &mut fastrand::Rng) -> String {
    format!("{}.{id}.{}@{}", given.to_lowercase(), dice.u16(10..100), pick(dice, &PROVIDERS))
}

fn address(dice: &mut fastrand::Rng) -> (Address, String) {
    let city = pick(dice, &CITIES);
    let street = format!("{} {}", pick(dice, &city.streets), dice.u16(1..200));
    let address = Address {
        street,
        postcode: format!("{}{:03}", city.postcode, dice.u16(0..1000)),
        city: city.name.to_owned(),
        country: city.country.to_owned(),
    };
    (address, city.locale.to_owned())
}

/// Picks one of several; the lists above are not empty.
fn pick<'a, T, const N: usize>(dice: &mut fastrand::Rng, from: &'a [T; N]) -> &'a T {
    const { assert!(N > 0) };
    #[expect(clippy::indexing_slicing, reason = "the index is below the length")]
    &from[dice.usize(..N)]
}
