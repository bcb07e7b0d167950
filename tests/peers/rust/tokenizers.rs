// tokenizers.rs - one WordPiece of the Rust registry: lines in, ids out, as ../tokenizers_python.py has it.
//
//     tokenizers NAME VOCAB TOKENIZER_JSON cased|uncased LINES OUT
use rust_tokenizers::tokenizer::{BertTokenizer, Tokenizer as _};
use std::fs;

fn main() {
    let a: Vec<String> = std::env::args().skip(1).collect();
    let lower = a[3] == "uncased";
    let encode: Box<dyn Fn(&str) -> Vec<i64>> = if a[0] == "rust_tokenizers" {
        let t = BertTokenizer::from_file(&a[1], lower, lower).unwrap();
        Box::new(move |text| t.convert_tokens_to_ids(&t.tokenize(text)))
    } else {
        let t = tokenizers::Tokenizer::from_file(&a[2]).unwrap();
        Box::new(move |text| t.encode(text, false).unwrap().get_ids().iter().map(|i| *i as i64).collect())
    };
    let text = fs::read_to_string(&a[4]).unwrap();
    let rows: Vec<String> = text
        .trim_end_matches('\n')
        .split('\n')
        .map(|line| encode(line).iter().map(|i| i.to_string()).collect::<Vec<_>>().join(" ") + "\n")
        .collect();
    fs::write(&a[5], rows.concat()).unwrap();
}
