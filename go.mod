module github.com/cleave-mesh/cleave

go 1.26.0
