fn main() {
    dunlin_build::compile("proto/greeter.proto");
}
