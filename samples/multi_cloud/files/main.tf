# One record per cloud; the bucket of the state is given to `terraform init`.
terraform {
  backend "s3" {
    key    = "platform/service.tfstate"
    region = "us-east-1"
  }
}

variable "service" {
  type = string
}

resource "terraform_data" "service" {
  input = var.service
}

output "service" {
  value = terraform_data.service.output
}
