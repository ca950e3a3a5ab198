//! Writes to the API server at a steady rate: endpoints that change, or objects that nobody watches.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::Duration,
};

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use super::{
    super::{api::Access, world},
    pace::Pace,
};

/// Connections to the API server.
const HANDS: usize = 16;

/// One service of so many never changes.
const PER_STEADY: usize = 5;

/// Objects that nobody watches.
const APART: usize = 100;

/// Whether the endpoints of a service stay as they are.
pub fn is_steady(service: usize) -> bool {
    service % PER_STEADY == PER_STEADY - 1
}

/// Something to write.
pub trait Objects: Sync {
    /// The path and the content of write number `number`.
    fn object(&self, number: usize) -> (String, Value);
}

/// How to write.
#[derive(Debug)]
pub struct Writes<'a> {
    pub access: &'a Access,
    /// In a second.
    pub rate: u32,
    pub time: Duration,
}

impl Writes<'_> {
    /// Writes; returns how often.
    ///
    /// # Errors
    /// The API server refuses.
    pub fn run(&self, objects: &dyn Objects) -> Result<u64> {
        let apis = (0..HANDS).map(|_| self.access.connect()).collect::<Result<Vec<_>>>()?;
        let pace = Pace::new(self.rate, self.time);
        let pace = &pace;
        thread::scope(|scope| {
            let hand = |mut api: super::super::api::Api| {
                scope.spawn(move || -> Result<u64> {
                    let mut made = 0;
                    while let Some((number, _)) = pace.turn() {
                        let (path, object) = objects.object(usize::try_from(number)?);
                        api.replace(&path, &object)?;
                        made += 1;
                    }
                    Ok(made)
                })
            };
            let hands: Vec<_> = apis.into_iter().map(hand).collect();
            hands.into_iter().map(|hand| hand.join().map_err(|_| anyhow!("a thread ended"))?).sum()
        })
    }
}

/// The slices of services that change.
#[derive(Debug)]
pub struct Slices {
    /// A service, and the generation of its endpoints; another than the first says that it was changed.
    services: Vec<(usize, usize, AtomicUsize)>,
}

impl Slices {
    /// Looks up what they are now.
    ///
    /// # Errors
    /// The API server refuses.
    pub fn read(access: &Access, ingresses: usize) -> Result<Self> {
        let mut api = access.connect()?;
        let mut services = Vec::new();
        for service in (0..ingresses).filter(|i| world::plain(*i) == *i && !is_steady(*i)) {
            let generation = api.get(&world::slice_path(service))?["metadata"]["generation"].as_u64().unwrap_or(1);
            // Content of generation n has the endpoints of n - 1 (see `world::slice`).
            let generation = usize::try_from(generation)?.saturating_sub(1);
            services.push((service, generation, AtomicUsize::new(generation)));
        }
        Ok(Self { services })
    }

    /// Those that were changed, each with its last generation.
    pub fn changed(&self) -> Vec<(usize, usize)> {
        let last = |(service, first, now): &(usize, usize, AtomicUsize)| (*service, *first, now.load(Relaxed));
        let changed = self.services.iter().map(last).filter(|(_, first, now)| first != now);
        changed.map(|(service, _, now)| (service, now)).collect()
    }
}

impl Objects for Slices {
    fn object(&self, number: usize) -> (String, Value) {
        // In turn, so that the next change of a service comes long after the one before.
        let place = number.checked_rem(self.services.len()).unwrap_or_default();
        let Some((service, _, generation)) = self.services.get(place) else { return Default::default() };
        let generation = generation.fetch_add(1, Relaxed) + 1;
        (world::slice_path(*service), world::slice(*service, generation))
    }
}

/// ConfigMaps as large as slices: Tidegate watches none but those that it is told of.
#[derive(Debug)]
pub struct Apart;

impl Apart {
    /// Makes them.
    ///
    /// # Errors
    /// The API server refuses.
    pub fn create(access: &Access) -> Result<Self> {
        let mut api = access.connect()?;
        (0..APART).try_for_each(|number| api.create(&world::config_maps(), &config_map(number, 0)))?;
        Ok(Self)
    }
}

impl Objects for Apart {
    fn object(&self, number: usize) -> (String, Value) {
        let object = config_map(number % APART, number);
        (format!("{}/apart-{}", world::config_maps(), number % APART), object)
    }
}

fn config_map(number: usize, content: usize) -> Value {
    let text = world::slice(number, content).to_string();
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("apart-{number}")},
        "data": {"content": text, "number": content.to_string()},
    })
}
