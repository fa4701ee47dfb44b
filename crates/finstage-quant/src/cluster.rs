//! Groups of points that lie close together: k-means, and how well the groups are apart.
//!
//! It deliberately gives no group a name or a meaning.

use crate::stats::random::SplitMix64;

/// Beginnings that are tried; the tightest groups stay.
const RESTARTS: u64 = 10;
/// Steps of one beginning; it ends earlier where nothing moves any more.
const MAX_STEPS: usize = 100;

/// Points in groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    /// The group of each point. The largest group is 0; of equal ones the lower center comes first.
    pub group: Vec<usize>,
    /// The mean of each group.
    pub centers: Vec<Vec<f64>>,
    /// Sum of the squared distances of points from the center of their group.
    pub spread: f64,
}

/// Puts points of equal length into `count` groups: k-means (Lloyd 1982) with the beginnings of Arthur
/// and Vassilvitskii (2007, k-means++), the best of ten. The same points and seed give the same groups.
///
/// `None` unless there are at least `count` different points, `count` is positive and all are numbers.
#[must_use]
pub fn k_means(points: &[Vec<f64>], count: usize, seed: u64) -> Option<Clusters> {
    let length = points.first()?.len();
    let is_sound = |point: &Vec<f64>| point.len() == length && point.iter().all(|x| x.is_finite());
    if count == 0 || !points.iter().all(is_sound) {
        return None;
    }
    let mut best: Option<Clusters> = None;
    for restart in 0..RESTARTS {
        let centers = beginnings(points, count, &mut SplitMix64::of_draw(seed, restart))?;
        let found = settle(points, centers);
        if best.as_ref().is_none_or(|best| found.spread < best.spread) {
            best = Some(found);
        }
    }
    best.map(ordered)
}

/// How well groups are apart: the mean over all points of (b − a)/max(a, b), where a is the mean
/// distance to the others of its own group and b the least mean distance to another group (Rousseeuw
/// 1987). From −1 to 1; a point alone in its group counts 0. `None` with fewer than two groups.
#[must_use]
pub fn silhouette(points: &[Vec<f64>], group: &[usize]) -> Option<f64> {
    let groups = group.iter().max()? + 1;
    let mut sizes = vec![0usize; groups];
    group.iter().for_each(|one| sizes[*one] += 1);
    if points.len() != group.len() || sizes.iter().filter(|size| **size > 0).count() < 2 {
        return None;
    }
    let mut total = 0.0;
    for (point, own) in points.iter().zip(group) {
        if sizes[*own] == 1 {
            continue;
        }
        let mut sums = vec![0.0; groups];
        for (other, of) in points.iter().zip(group) {
            sums[*of] += square(point, other).sqrt();
        }
        let within = sums[*own] / (sizes[*own] - 1) as f64;
        let others = (0..groups).filter(|of| of != own && sizes[*of] > 0);
        let next = others.map(|of| sums[of] / sizes[of] as f64).fold(f64::INFINITY, f64::min);
        let wider = within.max(next);
        if wider > 0.0 {
            total += (next - within) / wider;
        }
    }
    Some(total / points.len() as f64)
}

/// The square of the distance of two points of equal length.
fn square(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// The first center is any point; each further one is a point, the likelier the farther it lies from
/// the nearest center. `None` where there are too few different points.
fn beginnings(points: &[Vec<f64>], count: usize, random: &mut SplitMix64) -> Option<Vec<Vec<f64>>> {
    let first = (random.uniform() * points.len() as f64) as usize;
    let mut centers = vec![points[first.min(points.len() - 1)].clone()];
    let mut far: Vec<f64> = points.iter().map(|point| square(point, &centers[0])).collect();
    while centers.len() < count {
        let total: f64 = far.iter().sum();
        let mut left = random.uniform() * total;
        let mut chosen = None;
        for (place, weight) in far.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            chosen = Some(place);
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        let center = points[chosen?].clone();
        for (least, point) in far.iter_mut().zip(points) {
            *least = least.min(square(point, &center));
        }
        centers.push(center);
    }
    Some(centers)
}

fn settle(points: &[Vec<f64>], mut centers: Vec<Vec<f64>>) -> Clusters {
    let mut group = vec![usize::MAX; points.len()];
    for _ in 0..MAX_STEPS {
        let next: Vec<usize> = points.iter().map(|point| nearest(point, &centers)).collect();
        if next == group {
            break;
        }
        group = next;
        centers = means(points, &group, centers);
    }
    let spread = points.iter().zip(&group).map(|(point, own)| square(point, &centers[*own])).sum();
    Clusters { group, centers, spread }
}

/// The nearest center; of equal ones the first.
fn nearest(point: &[f64], centers: &[Vec<f64>]) -> usize {
    let distance = |place: &usize| square(point, &centers[*place]);
    let places = 0..centers.len();
    places.min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(0)
}

/// The mean of each group; the center of one that lost all its points stays.
fn means(points: &[Vec<f64>], group: &[usize], centers: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let mean = |(place, old): (usize, Vec<f64>)| {
        let own = || points.iter().zip(group).filter(|(_, of)| **of == place);
        let count = own().count();
        if count == 0 {
            return old;
        }
        let sum = |axis| own().map(|(point, _)| point[axis]).sum::<f64>();
        (0..old.len()).map(|axis| sum(axis) / count as f64).collect()
    };
    centers.into_iter().enumerate().map(mean).collect()
}

/// Numbers the groups by size, so that a number means the same after every beginning.
fn ordered(found: Clusters) -> Clusters {
    let Clusters { group, centers, spread } = found;
    let size = |place: usize| group.iter().filter(|of| **of == place).count();
    let mut places: Vec<usize> = (0..centers.len()).collect();
    places.sort_by(|a, b| {
        let differ = centers[*a].iter().zip(&centers[*b]).map(|(x, y)| x.total_cmp(y));
        size(*b)
            .cmp(&size(*a))
            .then(differ.fold(std::cmp::Ordering::Equal, |all, one| all.then(one)))
    });
    let mut number = vec![0; centers.len()];
    places.iter().enumerate().for_each(|(new, old)| number[*old] = new);
    Clusters {
        group: group.iter().map(|old| number[*old]).collect(),
        centers: places.iter().map(|old| centers[*old].clone()).collect(),
        spread,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three clouds of 30, 20 and 10 points around (0, 0), (10, 0) and (0, 10).
    fn clouds() -> (Vec<Vec<f64>>, Vec<usize>) {
        let mut random = SplitMix64::new(7);
        let mut points = Vec::new();
        let mut group = Vec::new();
        for (of, (count, x, y)) in
            [(30, 0.0, 0.0), (20, 10.0, 0.0), (10, 0.0, 10.0)].iter().enumerate()
        {
            for _ in 0..*count {
                points.push(vec![x + random.uniform(), y + random.uniform()]);
                group.push(of);
            }
        }
        (points, group)
    }

    #[test]
    fn planted_groups_are_found_whatever_the_seed() {
        let (points, planted) = clouds();
        for seed in 0..20 {
            let found = k_means(&points, 3, seed).unwrap();
            assert_eq!(found.group, planted, "seed {seed}");
            assert_eq!(k_means(&points, 3, seed), Some(found));
        }
    }

    #[test]
    fn the_right_number_of_groups_has_the_best_silhouette() {
        let (points, planted) = clouds();
        let quality =
            |count| silhouette(&points, &k_means(&points, count, 1).unwrap().group).unwrap();
        let best = (2..=6).max_by(|a, b| quality(*a).total_cmp(&quality(*b))).unwrap();
        assert_eq!(best, 3);
        assert!(quality(3) > 0.85, "{}", quality(3));
        // By hand: two pairs, 1 apart within and 3 between the nearest.
        let line: Vec<Vec<f64>> = [0.0, 1.0, 4.0, 5.0].map(|x| vec![x]).into();
        let by_hand = 2.0 * (1.0 - 1.0 / 4.5) + 2.0 * (1.0 - 1.0 / 3.5);
        assert!((silhouette(&line, &[0, 0, 1, 1]).unwrap() - by_hand / 4.0).abs() < 1e-12);
        assert_eq!(silhouette(&points, &vec![0; planted.len()]), None);
    }

    #[test]
    fn too_few_different_points_are_no_groups() {
        let same = vec![vec![1.0, 2.0]; 5];
        assert_eq!(k_means(&same, 2, 1), None);
        assert_eq!(k_means(&same, 1, 1).unwrap().spread, 0.0);
        assert_eq!(k_means(&[], 1, 1), None);
        assert_eq!(k_means(&same, 0, 1), None);
        assert_eq!(k_means(&[vec![f64::NAN]], 1, 1), None);
    }
}
