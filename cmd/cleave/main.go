// Command cleave is the one binary of the mesh.
package main

func main() {}
