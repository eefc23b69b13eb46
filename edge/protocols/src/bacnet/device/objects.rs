//! The objects of a simulated device: one for each object that points of its profile stand in, and the device's own.

use steward_shared::profile::{BacnetPoint, PointDef, Profile, PropertyId};

use super::super::object::ObjectId;

/// An object and the points that are its properties, as indices into the profile's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub id: ObjectId,
    pub points: Vec<usize>,
    /// Whether its present value has a priority array.
    pub is_commandable: bool,
}

impl Object {
    /// The point that its present value is.
    pub fn present<'p>(&self, profile: &'p Profile) -> Option<(&'p PointDef, &'p BacnetPoint)> {
        self.of(profile).find(|(_, place)| place.property == PropertyId::PRESENT_VALUE)
    }

    pub fn of<'p>(&self, profile: &'p Profile) -> impl Iterator<Item = (&'p PointDef, &'p BacnetPoint)> {
        self.points.iter().filter_map(|i| profile.points.get(*i)).filter_map(|def| Some((def, def.bacnet()?)))
    }

    /// What it is called: as its points are, without what they do not share.
    pub fn name(&self, profile: &Profile) -> String {
        let own = self.present(profile).or_else(|| self.of(profile).next());
        own.map_or_else(String::new, |(def, _)| def.key.clone())
    }
}

/// The objects of a profile, in their order.
pub fn objects(profile: &Profile) -> Vec<Object> {
    let mut all: Vec<Object> = Vec::new();
    for (i, def) in profile.points.iter().enumerate() {
        let Some(place) = def.bacnet() else { continue };
        let id = ObjectId::new(place.object, place.instance);
        let at = all.iter().position(|object| object.id == id);
        let at = at.unwrap_or_else(|| {
            all.push(Object { id, points: Vec::new(), is_commandable: false });
            all.len() - 1
        });
        if let Some(object) = all.get_mut(at) {
            object.points.push(i);
            let is_present = place.property == PropertyId::PRESENT_VALUE;
            // Outputs always, values where the profile lets them be written.
            let may = match id.kind.0 {
                1 | 4 | 14 => true,
                2 | 5 | 19 | 45 | 46 | 48 => def.write.is_some(),
                _ => false,
            };
            object.is_commandable |= is_present && may;
        }
    }
    all.sort_by_key(|object| object.id);
    all
}
