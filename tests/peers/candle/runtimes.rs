// runtimes.rs - candle's BERT: rows of ids in, the last hidden state out, as ../runtimes_python.py has it.
//
//     runtimes float32|float16|bfloat16 DIRECTORY ROWS OUT
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use std::fs;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let a: Vec<String> = std::env::args().skip(1).collect();
    let dtype = match a[0].as_str() {
        "float16" => DType::F16,
        "bfloat16" => DType::BF16,
        _ => DType::F32,
    };
    let config = Config::default();                                 // bert-base-uncased's
    let file = format!("{}/model.safetensors", a[1]);
    let weights = unsafe { VarBuilder::from_mmaped_safetensors(&[file], dtype, &Device::Cpu)? };
    let model = BertModel::load(weights, &config)?;
    let rows: Vec<Vec<u32>> = fs::read_to_string(&a[2])?
        .lines()
        .map(|line| line.split(' ').map(|x| x.parse().unwrap()).collect())
        .collect();
    let mut out = Vec::new();
    for input in rows.chunks(3) {
        let tensor = |row: &Vec<u32>| Tensor::new(row.as_slice(), &Device::Cpu)?.unsqueeze(0);
        let hidden = model.forward(&tensor(&input[0])?, &tensor(&input[1])?, Some(&tensor(&input[2])?))?;
        for x in hidden.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()? {
            out.extend(x.to_le_bytes());
        }
    }
    fs::write(&a[3], out)?;
    Ok(())
}
