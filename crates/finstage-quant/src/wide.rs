//! Loops over blocks of numbers, compiled a second time for processors with wide registers.
//!
//! Only how many numbers are worked on at once differs: no operation is fused or reordered, so the
//! results are the same bit for bit on every machine.

/// A loop over a block of numbers. Its `run` is marked `#[inline(always)]`, so that it can be
/// compiled for each kind of processor.
pub trait Block {
    /// What comes out of it.
    type Output;

    /// Works the block.
    fn run(self) -> Self::Output;
}

/// Works the block, with wide registers where the machine has them.
#[inline(always)]
pub fn wide<B: Block>(block: B) -> B::Output {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[expect(
            unsafe_code,
            reason = "calls code for a processor feature that was just asked for"
        )]
        // SAFETY: the processor has AVX2.
        return unsafe { wide_avx2(block) };
    }
    block.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn wide_avx2<B: Block>(block: B) -> B::Output {
    block.run()
}
