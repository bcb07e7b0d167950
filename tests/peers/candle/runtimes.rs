// runtimes.rs - candle's BERT: rows of ids, types and masks in, the last hidden state out.
//
//     runtimes MODEL_DIR float32|float16|bfloat16 ROWS OUT
//
// Three lines of ROWS are an input: ids, token types, mask. OUT: float32, one input after the other.
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use std::{fs, io::Write};

fn main() -> candle_core::Result<()> {
    let a: Vec<String> = std::env::args().skip(1).collect();
    let dtype = match a[1].as_str() {
        "float16" => DType::F16,
        "bfloat16" => DType::BF16,
        _ => DType::F32,
    };
    let config: Config = serde_json::from_str(&fs::read_to_string(format!("{}/config.json", a[0]))?).unwrap();
    let file = format!("{}/model.safetensors", a[0]);
    let weights = unsafe { VarBuilder::from_mmaped_safetensors(&[file], dtype, &Device::Cpu)? };
    let model = BertModel::load(weights, &config)?;
    let mut out = fs::File::create(&a[3])?;
    let rows: Vec<Vec<u32>> = fs::read_to_string(&a[2])?
        .lines()
        .map(|line| line.split(' ').map(|x| x.parse().unwrap()).collect())
        .collect();
    for input in rows.chunks(3) {
        let t = |k: usize| Tensor::new(&input[k][..], &Device::Cpu)?.unsqueeze(0);
        let hidden = model.forward(&t(0)?, &t(1)?, Some(&t(2)?))?.to_dtype(DType::F32)?;
        for x in hidden.flatten_all()?.to_vec1::<f32>()? {
            out.write_all(&x.to_le_bytes())?;
        }
    }
    Ok(())
}
