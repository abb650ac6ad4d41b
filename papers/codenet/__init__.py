"""CodeNet's experiment: a network of 784 - 10000 - 10000 - 10 trained on 40 nodes that err."""
