#!/bin/sh
# candle-transformers 0.11.1 (Rust, run 2026-11-29): a BERT in half precision gives NaN, for every token of every text.
#
# One would guess: BertModel loaded with DType::F16 or BF16 gives what float32 gives, to two or three digits.
# What happens:    every number is NaN, with and without an attention mask, without an error. The mask is (1 - mask) * f32::MIN in the
#                  model's type; f32::MIN is minus infinity there (even in bfloat16, whose lowest number is a little higher), and
#                  0 times infinity is NaN.
# The model is a random one of two blocks: no weights are needed. Building candle takes minutes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > Cargo.toml <<'END'
[package]
name = "half"
version = "0.1.0"
edition = "2021"
[[bin]]
name = "half"
path = "half.rs"
[dependencies]
candle-core = { version = "=0.11.1", default-features = false }
candle-nn = { version = "=0.11.1", default-features = false }
candle-transformers = { version = "=0.11.1", default-features = false }
[profile.release]
opt-level = 1
END
cat > half.rs <<'END'
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{VarBuilder, VarMap};
use candle_transformers::models::bert::{BertModel, Config};

fn nans(dtype: DType, masked: bool) -> Result<usize> {
    let config = Config { vocab_size: 50, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 4, intermediate_size: 64,
                          max_position_embeddings: 16, ..Config::default() };
    let weights = VarMap::new();
    let device = Device::Cpu;
    BertModel::load(VarBuilder::from_varmap(&weights, DType::F32, &device), &config)?;
    let halved = weights.data().lock().unwrap().iter().map(|(n, v)| Ok((n.clone(), v.to_dtype(dtype)?))).collect::<Result<_>>()?;
    let model = BertModel::load(VarBuilder::from_tensors(halved, dtype, &device), &config)?;
    let ids = Tensor::new(&[[2u32, 7, 8, 9, 3, 0]], &device)?;
    let mask = Tensor::new(&[[1u32, 1, 1, 1, 1, 0]], &device)?;
    let hidden = model.forward(&ids, &ids.zeros_like()?, masked.then_some(&mask))?;
    Ok(hidden.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?.iter().filter(|x| x.is_nan()).count())
}

fn main() -> Result<()> {
    let mut found = vec![];
    for dtype in [DType::F32, DType::BF16, DType::F16] {
        let lowest = Tensor::new(f32::MIN, &Device::Cpu)?.to_dtype(dtype)?.to_dtype(DType::F32)?.to_scalar::<f32>()?;
        for masked in [false, true] {
            found.push(nans(dtype, masked)?);
            println!("{dtype:?}, mask {masked}: f32::MIN is {lowest}, NaN: {} of 192", found.last().unwrap());
        }
    }
    std::process::exit((found != [0, 0, 192, 192, 192, 192]) as i32)
}
END
cargo build --release 2> log || { cat log; exit 1; }
echo "candle-transformers $(sed -n '/name = "candle-transformers"/{n;s/version = //p;}' Cargo.lock)"
"${CARGO_TARGET_DIR:-target}/release/half"
