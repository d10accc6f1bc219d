"""A short reference trainer, and the parts that it is made of, each of use in anyone's loop."""
