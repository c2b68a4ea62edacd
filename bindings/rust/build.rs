//! Says where libtoolformer_c is: TOOLFORMER_LIB_DIR, or else wherever the linker looks.
fn main() {
    println!("cargo:rerun-if-env-changed=TOOLFORMER_LIB_DIR");
    if let Ok(folder) = std::env::var("TOOLFORMER_LIB_DIR") {
        println!("cargo:rustc-link-search=native={}", folder);
    }
}
