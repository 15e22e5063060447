//! Tags of an item or a document in as few commands as they fit: FF4D and FF0C carry up to 249 bytes of TLV.
//!
//! Owns: which tag goes with which into one command.
//! Must never: cut a TLV, change the order of tags that repeat, or search without a bound.

use kassette_wire::ffd::{Tag, Tlv, TlvError};

/// Most TLV bytes in one FF0C or FF4D. The text says 250 (`shtrih-m` 3.5), but a frame of v1 says its length in one byte
/// (1.2) and has two bytes of command and four of password before the TLV: 249 is what fits both.
pub(super) const TLV_MAX: usize = 249;
/// Places tried in search of a better packing; a receipt with one tag of each kind needs some hundred.
const TRIES_MAX: usize = 20_000;

/// The TLV of one command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Pack {
    /// What stands in it, for the words of a refusal.
    pub(super) tags: Vec<Tag>,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
}

/// Why tags cannot be packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unpackable {
    /// One TLV alone is longer than a command (FF64 would carry it; how it is loaded is not described).
    Long(Tag),
    /// A TLV has no bytes.
    Value(TlvError),
}

/// TLV that stay together: one, or those of a tag that repeats, as far as one command holds them.
struct Unit {
    tags: Vec<Tag>,
    bytes: Vec<u8>,
    /// The unit before this one that has the same tag: it may not stand in a later command.
    behind: Option<usize>,
}

/// What the search needs of a unit.
#[derive(Debug, Clone, Copy)]
struct Piece {
    size: usize,
    behind: Option<usize>,
}

/// Joins TLV into the fewest commands. The commands stand in the order of their first tags, and the tags of a command
/// in the order given.
pub(super) fn packed(tags: &[Tlv]) -> Result<Vec<Pack>, Unpackable> {
    let units = units(tags)?;
    let piece = |unit: &Unit| Piece {
        size: unit.bytes.len(),
        behind: unit.behind,
    };
    let pieces: Vec<Piece> = units.iter().map(piece).collect();
    let mut packs = vec![Pack::default(); units.len()];
    for (unit, place) in units.into_iter().zip(places(&pieces)) {
        packs[place].tags.extend(unit.tags);
        packs[place].bytes.extend(unit.bytes);
    }
    packs.retain(|pack| !pack.tags.is_empty());
    Ok(packs)
}

/// Tags that repeat are one unit as long as they fit one command: the order among them is kept.
fn units(tags: &[Tlv]) -> Result<Vec<Unit>, Unpackable> {
    let mut units: Vec<Unit> = Vec::with_capacity(tags.len());
    for tlv in tags {
        let bytes = tlv.encode().map_err(Unpackable::Value)?;
        if bytes.len() > TLV_MAX {
            return Err(Unpackable::Long(tlv.tag));
        }
        let behind = units.iter().rposition(|unit| unit.tags.contains(&tlv.tag));
        match behind.and_then(|at| units.get_mut(at)) {
            Some(unit) if unit.bytes.len() + bytes.len() <= TLV_MAX => {
                unit.tags.push(tlv.tag);
                unit.bytes.extend(bytes);
            }
            _ => units.push(Unit {
                tags: vec![tlv.tag],
                bytes,
                behind,
            }),
        }
    }
    Ok(units)
}

/// The command of each unit, numbered by first use. First fit in the given order is tried first; where it needs more
/// commands than the bytes alone ask for, a bounded search looks for fewer.
fn places(pieces: &[Piece]) -> Vec<usize> {
    let least = pieces.iter().map(|piece| piece.size).sum::<usize>().div_ceil(TLV_MAX);
    let mut best = first_fit(pieces);
    let mut tries = TRIES_MAX;
    while count(&best) > least {
        let mut search = Search {
            pieces,
            room: vec![TLV_MAX; count(&best) - 1],
            places: Vec::with_capacity(pieces.len()),
            tries,
        };
        if !search.place() {
            break;
        }
        tries = search.tries;
        best = search.places;
    }
    best
}

fn count(places: &[usize]) -> usize {
    places.iter().max().map_or(0, |last| last + 1)
}

/// The first command that a piece may stand in: that of the piece it stands behind.
fn first_place(piece: Piece, places: &[usize]) -> usize {
    piece.behind.and_then(|at| places.get(at).copied()).unwrap_or(0)
}

fn first_fit(pieces: &[Piece]) -> Vec<usize> {
    let mut room: Vec<usize> = Vec::new();
    let mut places = Vec::with_capacity(pieces.len());
    for &piece in pieces {
        let from = first_place(piece, &places);
        let fitting = (from..room.len()).find(|&at| room[at] >= piece.size);
        let place = fitting.unwrap_or_else(|| {
            room.push(TLV_MAX);
            room.len() - 1
        });
        room[place] -= piece.size;
        places.push(place);
    }
    places
}

/// Puts the pieces one after another into a given number of commands, going back where one does not fit.
struct Search<'a> {
    pieces: &'a [Piece],
    room: Vec<usize>,
    places: Vec<usize>,
    tries: usize,
}

impl Search<'_> {
    /// Whether all pieces fit. An empty command is as good as any other empty one: only the first of them is tried, which
    /// also numbers the commands by first use.
    fn place(&mut self) -> bool {
        let Some(&piece) = self.pieces.get(self.places.len()) else {
            return true;
        };
        for at in first_place(piece, &self.places)..self.room.len() {
            if self.tries == 0 {
                return false;
            }
            self.tries -= 1;
            let untouched = self.room[at] == TLV_MAX;
            if self.room[at] >= piece.size {
                self.room[at] -= piece.size;
                self.places.push(at);
                if self.place() {
                    return true;
                }
                self.places.pop();
                self.room[at] += piece.size;
            }
            if untouched {
                break;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(number: u16, length: usize) -> Tlv {
        Tlv::bytes(Tag(number), vec![b'x'; length - 4])
    }

    fn pieces(sizes: &[usize]) -> Vec<Piece> {
        let piece = |size: &usize| Piece {
            size: *size,
            behind: None,
        };
        sizes.iter().map(piece).collect()
    }

    fn sizes(tags: &[Tlv]) -> Vec<usize> {
        packed(tags).unwrap().iter().map(|pack| pack.bytes.len()).collect()
    }

    #[test]
    fn tags_are_packed_into_the_fewest_commands_without_cutting_one() {
        assert_eq!(sizes(&[tag(1187, 104), tag(1009, 145), tag(1117, 5)]), [249, 5]);
        assert_eq!(sizes(&[tag(1187, 249)]), [249]);
        assert_eq!(packed(&[tag(1187, 250)]), Err(Unpackable::Long(Tag(1187))));
        assert_eq!(sizes(&[]), Vec::<usize>::new());
    }

    #[test]
    fn a_later_tag_fills_the_room_of_an_earlier_command() {
        assert_eq!(sizes(&[tag(1, 100), tag(2, 200), tag(3, 149), tag(4, 49)]), [249, 249]);
    }

    /// First fit needs three commands here: 100 + 60 + 80, 129 + 69, 60. Two do: 100 + 80 + 69, 60 + 129 + 60.
    #[test]
    fn where_first_fit_wastes_a_command_the_search_finds_the_better_packing() {
        let hard = pieces(&[100, 60, 129, 80, 69, 60]);
        assert_eq!(count(&first_fit(&hard)), 3);
        assert_eq!(count(&places(&hard)), 2);
    }

    #[test]
    fn tags_that_repeat_keep_their_order_and_the_first_command_begins_with_the_first_tag() {
        let phone = |digit: u8| Tlv::bytes(Tag(1073), vec![digit; 16]);
        let tags = [tag(1192, 20), phone(1), tag(1187, 200), phone(2), phone(3)];
        let packs = packed(&tags).unwrap();
        assert_eq!(packs[0].tags, [1192, 1073, 1073, 1073].map(Tag));
        let order: Vec<u8> = packs[0].bytes[20..].chunks(20).map(|one| one[4]).collect();
        assert_eq!(order, [1, 2, 3]);
        assert_eq!(packs[1].tags, [Tag(1187)]);
    }

    #[test]
    fn tags_that_repeat_beyond_one_command_keep_their_order_too() {
        let one = |mark: u8, length: usize| Tlv::bytes(Tag(1260), vec![mark; length - 4]);
        for sizes in [
            [100, 200, 60, 40],
            [200, 100, 200, 49],
            [249, 20, 249, 20],
            [130, 130, 119, 119],
        ] {
            let mut tags = vec![tag(1191, 68)];
            tags.extend((1..).zip(sizes).map(|(mark, size)| one(mark, size)));
            let bytes: Vec<u8> = packed(&tags).unwrap().into_iter().flat_map(|pack| pack.bytes).collect();
            let list = kassette_wire::ffd::TlvList::decode(&bytes).unwrap();
            let marks: Vec<u8> = list.all(Tag(1260)).map(|tlv| tlv.value[0]).collect();
            assert_eq!(marks, [1, 2, 3, 4], "{sizes:?}");
        }
    }

    /// Small sets against every way of placing them.
    #[test]
    fn no_packing_of_a_small_set_has_fewer_commands() {
        let mut state = 7_u32;
        for _ in 0..300 {
            let sizes: Vec<usize> = (0..6)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    5 + (state >> 16) as usize % 200
                })
                .collect();
            assert_eq!(count(&places(&pieces(&sizes))), fewest(&sizes), "{sizes:?}");
        }
    }

    fn fewest(sizes: &[usize]) -> usize {
        let ways = 6_usize.pow(6);
        let fits = |way: &usize| {
            let mut room = [TLV_MAX; 6];
            let mut way = *way;
            sizes.iter().all(|&size| {
                let at = way % 6;
                way /= 6;
                room[at].checked_sub(size).map(|left| room[at] = left).is_some()
            })
        };
        let used = |way: usize| {
            (0..6)
                .scan(way, |way, _| Some(std::mem::replace(way, *way / 6) % 6))
                .max()
        };
        (0..ways).filter(fits).filter_map(used).min().unwrap() + 1
    }
}
