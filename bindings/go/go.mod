module toolformer

go 1.19
